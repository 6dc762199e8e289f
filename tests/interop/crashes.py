"""Workers that die, as gunicorn's stock client sees it. The arbiter runs two workers with two slots each."""

from gunicorn.dirty import DirtyClient, DirtyError, DirtyWorkerError

from checks import APP, LONG, SOCKET, cancel, check, equal, in_threads, main, raises


@check
def a_worker_that_dies_is_dirty_worker_error():
    with DirtyClient(SOCKET) as client, raises(DirtyWorkerError) as raised:
        client.execute(APP, "die", 7)
    equal(raised.error.details["exit_code"], 7)
    equal(type(raised.error.worker_id), int)
    equal(raised.error.traceback, None)


@check
def the_next_call_after_a_death_works():
    with DirtyClient(SOCKET) as client:
        for number in range(4):
            with raises(DirtyWorkerError):
                client.execute(APP, "die", 1)
            equal(client.execute(APP, "echo", number)["args"], [number])


@check
def a_worker_that_dies_midstream_ends_the_stream_with_dirty_worker_error():
    # Streams on three of the four slots: whichever worker the death hits, it has one or two of them on it. Those end
    # with its error after their first item. The others go on, until they are cancelled.
    def stream(_):
        client = DirtyClient(SOCKET)
        items = client.stream(APP, "slow_count", 2, LONG)
        return client, items, next(items)

    streams = in_threads(3, stream)
    with DirtyClient(SOCKET) as client, raises(DirtyWorkerError):
        client.execute(APP, "die", 5)
    ended = []
    for client, items, first in streams:
        equal(first, 0)
        cancel(client, items)
        with raises(DirtyWorkerError, DirtyError) as raised:
            next(items)
        ended.append(raised.error.details.get("exit_code", "cancelled"))
        # A stream's error leaves the stock client its connection: it must be good for the next call.
        connection = client._sock
        equal(client.execute(APP, "echo", "on")["args"], ["on"])
        equal(client._sock is connection, True)
        client.close()
    equal(sorted(ended, key=str) in ([5, "cancelled", "cancelled"], [5, 5, "cancelled"]), True)


@check
def calls_that_waited_while_workers_died_are_all_answered():
    # gunicorn leaves calls that queue behind a crash without an answer, about half of the time.
    def caller(number):
        with DirtyClient(SOCKET) as client:
            try:
                if number % 4 == 0:
                    client.execute(APP, "die", 1)
                return client.execute(APP, "sleep", 0.05, number) == number
            except DirtyWorkerError:
                return "died"

    answers = in_threads(16, caller)
    equal([answer for number, answer in enumerate(answers) if number % 4 == 0], ["died"] * 4)
    equal(all(answer in (True, "died") for answer in answers), True)
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", "all")["args"], ["all"])


main()
