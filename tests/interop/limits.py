"""Limits of the arbiter. It runs one worker with one slot, --queue 1 and --max-frame 65536."""

from gunicorn.dirty import DirtyAppError, DirtyClient, DirtyConnectionError, DirtyError, DirtyProtocolError
from gunicorn.dirty.protocol import DirtyProtocol, make_request

from checks import APP, LONG, SOCKET, check, equal, main, raises


@check
def a_full_queue_is_refused_at_once_and_read_as_dirty_error():
    # The stock client does not know DirtyOverloadedError and makes its base class of it, details and all.
    with DirtyClient(SOCKET) as busy, DirtyClient(SOCKET) as client:
        # While the worker starts, the first call would wait in the queue as well.
        equal(client.execute(APP, "echo", 0)["args"], [0])
        # Pipelined on one connection, so that the order is sure: the first runs, the second waits, which fills the
        # queue. The answer to the third proves that the second was read.
        for number, seconds in enumerate([LONG, 0, 0]):
            request = make_request(f"r{number}", APP, "sleep", args=(seconds, number))
            DirtyProtocol.write_message(busy._sock, request)
        refused = DirtyProtocol.read_message(busy._sock)
        equal(refused["id"], "r2")
        equal(refused["error"]["error_type"], "DirtyOverloadedError")
        with raises(DirtyError) as raised:
            client.execute(APP, "echo", 1)
        equal(raised.error.details["retry_after"] > 0, True)
        equal(raised.error.details["app_path"], APP)
        # What was accepted is answered.
        DirtyProtocol.write_message(busy._sock, {"type": "cancel", "id": "r0"})
        cancelled, answer = [DirtyProtocol.read_message(busy._sock) for _ in range(2)]
        equal((cancelled["id"], cancelled["error"]["error_type"]), ("r0", "DirtyCancelledError"))
        equal((answer["id"], answer["result"]), ("r1", 1))
        equal(client.execute(APP, "echo", 2)["args"], [2])


@check
def a_request_over_the_frame_limit_is_dirty_protocol_error():
    with DirtyClient(SOCKET) as client:
        with raises(DirtyProtocolError) as raised:
            client.execute(APP, "echo", "x" * 100_000)
        equal(raised.error.details["requirement"], "FRAME-3")
        equal(client.execute(APP, "echo", 1)["args"], [1])


@check
def a_request_too_large_for_the_pipe_is_an_error_and_the_next_call_works():
    # The arbiter closes while the client still writes. Which of the two the client notices first is up to the kernel.
    with DirtyClient(SOCKET) as client:
        with raises(DirtyProtocolError, DirtyConnectionError):
            client.execute(APP, "echo", "x" * 5_000_000)
        equal(client.execute(APP, "echo", 1)["args"], [1])


@check
def a_result_over_the_frame_limit_is_dirty_app_error():
    with DirtyClient(SOCKET) as client:
        with raises(DirtyAppError) as raised:
            client.execute(APP, "big", 100_000)
        equal(raised.error.action, "big")
        equal(len(client.execute(APP, "big", 60_000)), 60_000)


main()
