"""What the drivers share.

A driver is a Python program that uses gunicorn's stock client against an arbiter of ours, found the way gunicorn's
users let it be found: through GUNICORN_DIRTY_SOCKET. It is a list of named checks and prints one line for each,
"ok NAME" or "FAIL NAME: why"; the Rust test that runs it (tests/suite/interop.rs) knows the names it must find.
"""

import asyncio
import contextlib
import faulthandler
import inspect
import os
import struct
import sys
import threading
import time
import traceback

import gunicorn
from gunicorn.dirty.protocol import DirtyProtocol

APP = "fixture:App"
SOCKET = os.environ["GUNICORN_DIRTY_SOCKET"]

# From 25.1 on gunicorn speaks gd/1.
BINARY = gunicorn.version_info >= (25, 1)

# A pause that nobody waits out: what ends sooner has not waited for it.
LONG = 600

# A check that hangs ends the driver, with the stack of every thread on stderr.
LIMIT_SECONDS = 40

_checks = []


def check(function):
    """Registers a check. Coroutine functions get an event loop of their own."""
    _checks.append(function)
    return function


def json_only(function):
    """Registers a check of what is so with json/1 alone."""
    return function if BINARY else check(function)


def main():
    """Runs the checks in order and ends the program."""
    faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
    failed = 0
    for function in _checks:
        try:
            if inspect.iscoroutinefunction(function):
                asyncio.run(function())
            else:
                function()
        except Exception as error:
            failed += 1
            print(f"FAIL {function.__name__}: {type(error).__name__}: {error}", flush=True)
            traceback.print_exc()
        else:
            print(f"ok {function.__name__}", flush=True)
    sys.exit(1 if failed else 0)


def equal(got, wanted):
    """Like ==, but 1, 1.0 and True differ, and a difference is shown."""
    if type(got) is not type(wanted) or got != wanted:
        raise AssertionError(f"got {shortened(got)}, wanted {shortened(wanted)}")


def shortened(value):
    text = repr(value)
    return text if len(text) < 300 else f"{text[:150]} … {text[-100:]} ({len(text)} characters)"


class Raised:
    """What a `raises` block raised."""

    error = None


@contextlib.contextmanager
def raises(*kinds):
    """The block must raise an exception of exactly one of these classes: a subclass is a different promise."""
    raised = Raised()
    try:
        yield raised
    except Exception as error:
        if type(error) not in kinds:
            raise
        raised.error = error
    else:
        raise AssertionError(f"nothing was raised, wanted {' or '.join(kind.__name__ for kind in kinds)}")


class Elapsed:
    """Seconds since it was made."""

    def __init__(self):
        self._start = time.monotonic()

    def below(self, seconds):
        elapsed = time.monotonic() - self._start
        if elapsed >= seconds:
            raise AssertionError(f"took {elapsed:.2f} s, wanted less than {seconds} s")

    def at_least(self, seconds):
        elapsed = time.monotonic() - self._start
        if elapsed < seconds:
            raise AssertionError(f"took {elapsed:.2f} s, wanted at least {seconds} s")


def cancel(client, stream):
    """Ends a stream before its time, on the connection of `client`. The stock client cannot say this; the wire can."""
    frame = cancel_frame(stream._request_id)
    if client._writer is None:
        client._sock.sendall(frame)
    else:
        client._writer.write(frame)


def cancel_frame(request_id):
    """A cancel in the codec that this gunicorn speaks."""
    if not BINARY:
        return DirtyProtocol.encode({"type": "cancel", "id": request_id})
    return struct.pack("!2sBBIQ", b"GD", 1, 0x20, 0, number_of(request_id))


def number_of(request_id):
    """What the stock client of the binary codec makes of an id."""
    return request_id if isinstance(request_id, int) else hash(request_id) & 0xFFFF_FFFF_FFFF_FFFF


def send_request(connection, request):
    """Writes a request with members that the stock client does not know. Returns its id as the answer has it."""
    if not BINARY:
        DirtyProtocol.write_message(connection, request)
        return request["id"]
    from gunicorn.dirty.tlv import TLVEncoder

    number = number_of(request["id"])
    payload = TLVEncoder.encode({name: value for name, value in request.items() if name not in ("type", "id")})
    connection.sendall(struct.pack("!2sBBIQ", b"GD", 1, 1, len(payload), number) + payload)
    return number


def in_threads(count, work):
    """Runs work(0) … work(count - 1), each in a thread of its own, and gives the results in order.

    The first exception of any of them is raised here."""
    results = [None] * count
    errors = []

    def run(number):
        try:
            results[number] = work(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
