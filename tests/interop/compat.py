"""An arbiter with --compat gunicorn: what programs written for gunicorn 25 may rely on."""

from gunicorn.dirty import DirtyClient
from gunicorn.dirty.errors import DirtyNoWorkersAvailableError

from checks import APP, SOCKET, check, equal, main, raises


@check
def an_unknown_app_is_dirty_no_workers_available_error():
    with DirtyClient(SOCKET) as client, raises(DirtyNoWorkersAvailableError) as raised:
        client.execute("nobody:Home", "echo")
    equal(raised.error.app_path, "nobody:Home")


@check
def a_stream_of_an_unknown_app_is_dirty_no_workers_available_error():
    with DirtyClient(SOCKET) as client, raises(DirtyNoWorkersAvailableError) as raised:
        next(client.stream("nobody:Home", "count", 1))
    equal(raised.error.app_path, "nobody:Home")


@check
def everything_else_is_as_usual():
    with DirtyClient(SOCKET) as client:
        equal(client.execute(APP, "echo", 1, a="é"), {"args": [1], "kwargs": {"a": "é"}})
        equal(list(client.stream(APP, "count", 3)), [0, 1, 2])


main()
