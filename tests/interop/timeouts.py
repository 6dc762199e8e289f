"""Time limits of the arbiter, as gunicorn's stock client sees them. The arbiter runs with --timeout 0.8."""

from gunicorn.dirty import DirtyClient, DirtyTimeoutError

from checks import APP, LONG, SOCKET, Elapsed, check, equal, in_threads, main, raises

LIMIT = 0.8


@check
def a_call_over_the_limit_is_dirty_timeout_error():
    waited = Elapsed()
    with DirtyClient(SOCKET) as client, raises(DirtyTimeoutError) as raised:
        client.execute(APP, "sleep", 30, "late")
    waited.at_least(LIMIT * 0.9)
    waited.below(15)
    equal(raised.error.timeout, LIMIT)
    equal(raised.error.details["phase"], "run")


@check
def a_stream_that_pauses_over_the_limit_is_dirty_timeout_error():
    seen = []
    with DirtyClient(SOCKET) as client:
        with raises(DirtyTimeoutError) as raised:
            for item in client.stream(APP, "slow_count", 3, LONG):
                seen.append(item)
        # gunicorn's own timer would say 5 s or 30 s: this one came from the arbiter.
        equal(raised.error.timeout, LIMIT)
        equal(raised.error.details["phase"] in ("run", "stream"), True)
        equal(seen in ([], [0]), True)


@check
def a_stream_may_last_longer_than_the_limit():
    with DirtyClient(SOCKET) as client:
        equal(list(client.stream(APP, "slow_count", 5, 0.25)), [0, 1, 2, 3, 4])


@check
def an_action_that_never_returns_costs_one_worker_and_is_replaced():
    with DirtyClient(SOCKET) as client:
        for _ in range(2):
            with raises(DirtyTimeoutError) as raised:
                client.execute(APP, "hang")
            equal(raised.error.timeout, LIMIT)
        for number in range(4):
            equal(client.execute(APP, "echo", number)["args"], [number])


@check
def no_late_answer_reaches_another_call():
    # gunicorn 25.0.3 gave the late answer of a timed-out call to whoever called that worker next, and its client does
    # not look at ids: the arbiter alone decides that this cannot happen.
    def caller(number):
        with DirtyClient(SOCKET) as client:
            for turn in range(4):
                if (number + turn) % 3 == 0:
                    try:
                        equal(client.execute(APP, "sleep", LIMIT + 0.02, "late"), "late")
                    except DirtyTimeoutError:
                        pass
                else:
                    tag = f"{number}.{turn}"
                    try:
                        equal(client.execute(APP, "echo", tag)["args"], [tag])
                    except DirtyTimeoutError as error:
                        # Waiting for a slot is not running; only the limit of the queue may end it.
                        raise AssertionError(f"an echo timed out: {error}") from error

    in_threads(3, caller)


main()
