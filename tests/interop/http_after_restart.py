"""HTTP requests after the arbiter was stopped and started again on its path.

With gunicorn's own arbiter the running web workers would be cut off for good: each start makes a new path."""

from checks import check, equal, main
from http_client import get

WEB_WORKERS = 2


@check
def every_web_worker_finds_the_new_arbiter():
    # Each worker's client still has its old connection, and loses one call finding that out.
    lost = 0
    for number in range(20):
        answer = get(f"/echo?n={number}")
        if answer.status == 200:
            equal(answer.json()["kwargs"], {"n": str(number)})
        else:
            lost += 1
            equal(answer.json()["class"] in ("DirtyConnectionError", "DirtyProtocolError"), True)
    equal(lost <= WEB_WORKERS, True)


main()
