"""HTTP requests to a real gunicorn server whose web application calls our arbiter."""

from urllib.parse import quote

from checks import Elapsed, check, equal, in_threads, main
from http_client import Answer, get


@check
def a_request_is_answered_by_a_dirty_worker():
    answer = get("/echo?a=1")
    equal(answer.status, 200)
    equal(answer.json(), {"args": [""], "kwargs": {"a": "1"}})


@check
def a_body_reaches_the_app_and_comes_back():
    body = "é日👩" * 100_000
    answer = Answer("POST", "/echo", body.encode())
    equal(answer.status, 200)
    equal(answer.json()["args"] == [body], True)


@check
def names_and_values_in_unicode_pass():
    equal(get("/echo?" + quote("ключ") + "=" + quote("значение")).json()["kwargs"], {"ключ": "значение"})


@check
def a_stream_reaches_the_browser_item_by_item():
    answer = get("/stream?n=2&pause=1")
    equal(answer.line(), 0)
    rest = Elapsed()
    equal(answer.line(), 1)
    rest.at_least(0.3)


@check
def the_web_application_catches_the_errors_it_knows():
    failed = get("/call?app=fixture:App&action=fail&arg=x")
    equal(failed.status, 502)
    described = failed.json()
    equal(described["class"], "DirtyAppError")
    equal(described["details"]["app_path"], "fixture:App")
    equal(described["details"]["action"], "fail")
    described = get("/call?app=nobody:Home&action=echo").json()
    equal(described["class"], "DirtyAppNotFoundError")
    equal(described["details"]["app_path"], "nobody:Home")


@check
def the_request_after_an_error_is_answered():
    # More requests than web workers: each of them meets its client's state after the errors above.
    for number in range(6):
        equal(get(f"/echo?n={number}").json()["kwargs"], {"n": str(number)})


@check
def concurrent_requests_get_their_own_answers():
    def work(number):
        return all(get(f"/echo?n={number}.{turn}").json()["kwargs"] == {"n": f"{number}.{turn}"} for turn in range(8))

    equal(in_threads(6, work), [True] * 6)


main()
