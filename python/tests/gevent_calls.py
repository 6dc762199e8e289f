"""The blocking client under gevent's monkey-patching: greenlets instead of threads, one of them reads for all."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402

from dirty_arbiter import DirtyTimeoutError, get_dirty_client  # noqa: E402

APP = "fixture:App"
client = get_dirty_client()


def slow(number):
    return client.execute(APP, "sleep", 0.4, number)


def echoes(number):
    for turn in range(30):
        assert client.execute(APP, "echo", number, turn)["args"] == [number, turn]
    assert list(client.stream(APP, "count", 50)) == list(range(50))
    return number


def late(number):
    try:
        client.with_options(timeout=0.05).execute(APP, "sleep", 600, number)
    except DirtyTimeoutError:
        return number
    raise AssertionError("no limit")


def given_up(number):
    with gevent.Timeout(0.05, False):
        client.execute(APP, "sleep", 600, number)
    return number


ticks = 0


def tick():
    global ticks
    while True:
        ticks += 1
        gevent.sleep(0.01)


ticker = gevent.spawn(tick)
# Three slots: three slow calls take the time of one, and the hub turns meanwhile.
start = time.monotonic()
assert [job.get() for job in [gevent.spawn(slow, number) for number in range(3)]] == [0, 1, 2]
assert time.monotonic() - start < 1.1, "one after the other"
assert ticks > 10, "the hub was blocked"

for work in (echoes, late, given_up, echoes):
    jobs = [gevent.spawn(work, number) for number in range(8)]
    assert [job.get(timeout=30) for job in jobs] == list(range(8)), work

text = "x" * (4 << 20)
jobs = [gevent.spawn(client.execute, APP, "echo", text) for _ in range(3)]
assert all(job.get(timeout=30)["args"] == [text] for job in jobs)

child = os.fork()
if child == 0:
    ok = echoes(1) == 1
    os._exit(0 if ok else 1)
assert os.waitpid(child, 0)[1] == 0
print("ok")
