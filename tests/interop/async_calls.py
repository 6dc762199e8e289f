"""execute_async() and stream_async() of gunicorn's stock client."""

import asyncio

from gunicorn.dirty import (
    DirtyAppError,
    DirtyAppNotFoundError,
    DirtyClient,
    DirtyConnectionError,
    DirtyError,
    DirtyTimeoutError,
    get_dirty_client_async,
)

from checks import APP, LONG, SOCKET, cancel, check, equal, main, raises


async def items(stream):
    return [item async for item in stream]


@check
async def a_call_returns_its_result():
    async with DirtyClient(SOCKET) as client:
        equal(await client.execute_async(APP, "echo", 1, a="é"), {"args": [1], "kwargs": {"a": "é"}})


@check
async def the_client_of_the_context_finds_the_arbiter():
    client = await get_dirty_client_async()
    equal((await client.execute_async(APP, "echo", 1))["args"], [1])
    await client.close_async()


@check
async def a_stream_yields_its_items_in_order():
    async with DirtyClient(SOCKET) as client:
        equal(await items(client.stream_async(APP, "count", 100)), list(range(100)))
        equal(await items(client.stream_async(APP, "count_async", 3)), [0, 1, 2])


@check
async def an_empty_stream_yields_nothing():
    async with DirtyClient(SOCKET) as client:
        equal(await items(client.stream_async(APP, "empty")), [])


@check
async def a_stream_that_fails_midway_yields_its_items_first():
    seen = []
    async with DirtyClient(SOCKET) as client:
        with raises(DirtyAppError) as raised:
            async for item in client.stream_async(APP, "count_then_fail", 2):
                seen.append(item)
        equal(seen, [0, 1])
        equal(raised.error.message, "boom")
        equal(raised.error.app_path, APP)
        equal(raised.error.action, "count_then_fail")
        equal((await client.execute_async(APP, "echo", 1))["args"], [1])


@check
async def errors_have_their_class_and_attributes():
    async with DirtyClient(SOCKET) as client:
        with raises(DirtyAppError) as raised:
            await client.execute_async(APP, "fail", "no luck")
        equal(raised.error.message, "no luck")
        equal(raised.error.app_path, APP)
        equal(raised.error.action, "fail")
        with raises(DirtyAppNotFoundError) as raised:
            await client.execute_async("nobody:Home", "echo")
        equal(raised.error.app_path, "nobody:Home")


@check
async def the_next_call_after_an_error_works():
    async with DirtyClient(SOCKET) as client:
        for number in range(5):
            with raises(DirtyAppError):
                await client.execute_async(APP, "fail", "again")
            equal((await client.execute_async(APP, "echo", number))["args"], [number])


@check
async def execute_on_a_stream_is_an_error_and_the_next_call_works():
    async with DirtyClient(SOCKET) as client:
        with raises(DirtyError):
            await client.execute_async(APP, "count", 3)
        equal((await client.execute_async(APP, "echo", 1))["args"], [1])


@check
async def large_payloads_pass_both_ways():
    text = "x" * 4_000_000
    async with DirtyClient(SOCKET) as client:
        equal((await client.execute_async(APP, "echo", text))["args"] == [text], True)


@check
async def fifty_clients_of_one_loop_get_their_own_answers():
    async def one(number):
        async with DirtyClient(SOCKET) as client:
            answers = [await client.execute_async(APP, "echo", number, turn) for turn in range(4)]
            streamed = await items(client.stream_async(APP, "count", number))
        own = [answer["args"] for answer in answers] == [[number, turn] for turn in range(4)]
        return own and streamed == list(range(number))

    equal(await asyncio.gather(*(one(number) for number in range(50))), [True] * 50)


@check
async def the_two_workers_work_at_the_same_time():
    # Both streams have begun, and neither ends by itself.
    async with DirtyClient(SOCKET) as one, DirtyClient(SOCKET) as other:
        streams = [client.stream_async(APP, "slow_count", 2, LONG) for client in (one, other)]
        equal([await anext(stream) for stream in streams], [0, 0])
        for client, stream in zip((one, other), streams):
            cancel(client, stream)
            with raises(DirtyError):
                await anext(stream)


@check
async def a_call_given_up_by_its_caller_frees_client_and_worker():
    client = DirtyClient(SOCKET, timeout=0.1)
    for _ in range(3):
        with raises(DirtyTimeoutError) as raised:
            await client.execute_async(APP, "sleep", 0.3, "late")
        equal(raised.error.timeout, 0.1)
    client.timeout = 10.0
    equal((await client.execute_async(APP, "echo", 1))["args"], [1])
    await client.close_async()


@check
async def two_calls_at_once_on_one_client_fail_as_they_do_with_gunicorn():
    # Its async client has no lock: two tasks connect, and the second connection replaces the first. Ours to survive.
    client = DirtyClient(SOCKET)
    outcomes = await asyncio.gather(
        client.execute_async(APP, "echo", 1), client.execute_async(APP, "echo", 2), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, DirtyConnectionError):
            raise outcome
    await client.close_async()
    async with DirtyClient(SOCKET) as client:
        equal((await client.execute_async(APP, "echo", 3))["args"], [3])


main()
