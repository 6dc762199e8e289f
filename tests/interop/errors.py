"""The errors an arbiter sends, as gunicorn's stock client raises them: their classes and attributes."""

import os
import tempfile

from gunicorn.dirty import (
    DirtyAppError,
    DirtyAppNotFoundError,
    DirtyClient,
    DirtyConnectionError,
    DirtyProtocolError,
    DirtyTimeoutError,
)

from checks import APP, SOCKET, check, equal, json_only, main, raises


@check
def an_exception_of_the_app_is_dirty_app_error():
    with DirtyClient(SOCKET) as client, raises(DirtyAppError) as raised:
        client.execute(APP, "fail", "no luck: é")
    equal(raised.error.message, "no luck: é")
    equal(raised.error.app_path, APP)
    equal(raised.error.action, "fail")


@check
def a_built_in_app_sends_no_traceback():
    with DirtyClient(SOCKET) as client, raises(DirtyAppError) as raised:
        client.execute(APP, "fail", "quiet")
    equal(raised.error.traceback, None)


@check
def an_unknown_action_is_dirty_app_error():
    with DirtyClient(SOCKET) as client, raises(DirtyAppError) as raised:
        client.execute(APP, "no_such_action")
    equal(raised.error.app_path, APP)
    equal(raised.error.action, "no_such_action")


@check
def private_names_are_not_actions():
    with DirtyClient(SOCKET) as client:
        for action in ["_private", "__init__", "init", "close"]:
            with raises(DirtyAppError) as raised:
                client.execute(APP, action)
            equal(raised.error.action, action)


@check
def wrong_arguments_are_dirty_app_error():
    with DirtyClient(SOCKET) as client, raises(DirtyAppError) as raised:
        client.execute(APP, "count", "not a number")
    equal(raised.error.action, "count")


@check
def an_unknown_app_is_dirty_app_not_found_error():
    with DirtyClient(SOCKET) as client, raises(DirtyAppNotFoundError) as raised:
        client.execute("nobody:Home", "echo")
    equal(raised.error.app_path, "nobody:Home")
    # What the seed document tells its readers to write.
    equal(isinstance(raised.error, DirtyAppError), True)


@check
def a_stream_of_an_unknown_app_is_dirty_app_not_found_error():
    with DirtyClient(SOCKET) as client, raises(DirtyAppNotFoundError) as raised:
        next(client.stream("nobody:Home", "count", 1))
    equal(raised.error.app_path, "nobody:Home")


@json_only
def bytes_in_a_result_are_dirty_app_error():
    with DirtyClient(SOCKET) as client, raises(DirtyAppError) as raised:
        client.execute(APP, "blob", 3)
    equal(raised.error.action, "blob")
    equal("bytes" in raised.error.message and "/result" in raised.error.message, True)


@json_only
def nan_in_a_result_is_dirty_app_error():
    with DirtyClient(SOCKET) as client, raises(DirtyAppError) as raised:
        client.execute(APP, "nan")
    equal(raised.error.action, "nan")


@json_only
def nan_in_an_argument_is_dirty_protocol_error():
    # Python writes the literal NaN, which is not JSON.
    with DirtyClient(SOCKET) as client, raises(DirtyProtocolError) as raised:
        client.execute(APP, "echo", float("nan"))
    equal(raised.error.details["pointer"].startswith("/args"), True)
    equal(raised.error.details["requirement"], "VAL-2")


@check
def an_empty_action_is_dirty_protocol_error():
    with DirtyClient(SOCKET) as client, raises(DirtyProtocolError) as raised:
        client.execute(APP, "")
    equal(raised.error.details["pointer"], "/action")


@check
def an_empty_app_path_is_dirty_protocol_error():
    with DirtyClient(SOCKET) as client, raises(DirtyProtocolError) as raised:
        client.execute("", "echo")
    equal(raised.error.details["pointer"], "/app_path")


@check
def the_next_call_after_an_error_works():
    with DirtyClient(SOCKET) as client:
        for number in range(10):
            with raises(DirtyAppError):
                client.execute(APP, "fail", "again")
            equal(client.execute(APP, "echo", number)["args"], [number])


@check
def a_call_given_up_by_its_caller_is_not_answered_to_the_next():
    # The client stops waiting by itself; what its call returns later must reach nobody.
    client = DirtyClient(SOCKET, timeout=0.1)
    for _ in range(3):
        with raises(DirtyTimeoutError) as raised:
            client.execute(APP, "sleep", 0.3, "late")
        equal(raised.error.timeout, 0.1)
    client.timeout = 10.0
    for number in range(10):
        equal(client.execute(APP, "echo", number)["args"], [number])
    client.close()


@check
def a_missing_socket_is_dirty_connection_error():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "none.sock")
        with raises(DirtyConnectionError) as raised:
            DirtyClient(path).execute(APP, "echo")
    equal(raised.error.socket_path, path)


main()
