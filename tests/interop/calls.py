"""execute() of gunicorn's stock client: values, sizes, one connection for many calls."""

import os

from gunicorn.dirty import DirtyClient, close_dirty_client, get_dirty_client

from checks import APP, SOCKET, check, equal, json_only, main


@check
def the_environment_variable_finds_the_arbiter():
    client = get_dirty_client()
    equal(client.socket_path, os.environ["GUNICORN_DIRTY_SOCKET"])
    equal(client.execute(APP, "echo", "hello"), {"args": ["hello"], "kwargs": {}})
    close_dirty_client()


@check
def arguments_arrive_by_position_and_by_name():
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", 1, "two", three=3), {"args": [1, "two"], "kwargs": {"three": 3}})


@check
def no_arguments_are_no_arguments():
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo"), {"args": [], "kwargs": {}})


@check
def every_json_type_comes_back_as_it_was():
    values = [None, True, False, 0, -1, 1.5, -0.0, 1e300, 5e-324, "", "text", [], [[], {}], {}, {"a": {"b": [None]}}]
    with DirtyClient(SOCKET) as client:
        for value in values:
            # repr tells 0.0 from -0.0.
            equal(repr(client.execute(APP, "echo", value)["args"][0]), repr(value))


@json_only
def integers_of_any_size_come_back_exactly():
    values = [2**53, 2**53 + 1, -(2**63), 2**64, 10**100, -(10**400)]
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", *values)["args"], values)


@json_only
def text_of_every_kind_comes_back_exactly():
    texts = ["é", "e\u0301", "日本語", "👩‍👩‍👧", "\U0010ffff", "\u0000\u001f\u007f\u2028", '"\\/\b', "\ud83d"]
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", *texts)["args"], texts)
        equal(client.execute(APP, "echo", ключ="значение")["kwargs"], {"ключ": "значение"})


@check
def the_order_of_members_is_kept():
    members = {name: position for position, name in enumerate("zyxabc")}
    with DirtyClient(SOCKET) as client:
        echoed = client.execute(APP, "echo", members)["args"][0]
        equal(list(echoed), list(members))


@check
def sixty_levels_of_nesting_come_back():
    nested = "core"
    for _ in range(60):
        nested = [nested]
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", nested)["args"], [nested])


@check
def a_keyword_argument_named_timeout_belongs_to_the_app():
    # Not to be taken for the request's own member `timeout`, which would end the call at once.
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", timeout=0)["kwargs"], {"timeout": 0})


@check
def many_calls_share_one_connection():
    with DirtyClient(SOCKET) as client:
        connection = client._sock
        for number in range(200):
            equal(client.execute(APP, "echo", number)["args"], [number])
        equal(client._sock is connection, True)


@check
def a_closed_client_connects_again():
    client = DirtyClient(SOCKET)
    equal(client.execute(APP, "echo", 1)["args"], [1])
    client.close()
    equal(client.execute(APP, "echo", 2)["args"], [2])
    client.close()


@check
def large_arguments_reach_the_app():
    texts = ["x" * 4_000_000, "é" * 200_000]
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", *texts)["args"] == texts, True)


@check
def large_results_reach_the_client():
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "big", 8_000_000) == "x" * 8_000_000, True)
        equal(client.execute(APP, "echo", "next")["args"], ["next"])


@check
def a_coroutine_is_awaited():
    with DirtyClient(SOCKET) as client:
        equal(sorted(client.execute(APP, "whoami")), ["pid", "worker_id"])


@check
def an_app_keeps_its_state_between_calls():
    # Each of the two workers has a counter of its own.
    with DirtyClient(SOCKET) as client:
        counts = [client.execute(APP, "incr", "calls.py") for _ in range(5)]
        equal(max(counts) >= 3, True)


main()
