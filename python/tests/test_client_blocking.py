"""The blocking client against a real arbiter: threads, streams, limits, forks, restarts."""

import gc
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

from dirty_arbiter import (
    DirtyAppError,
    DirtyAppNotFoundError,
    DirtyClient,
    DirtyConnectionError,
    DirtyError,
    DirtyProtocolError,
    DirtyTimeoutError,
    DirtyWorkerError,
    _exchange,
    close_dirty_client,
    get_dirty_client,
    set_dirty_socket_path,
)
from dirty_arbiter._frame import FrameDecoder, Limits
from dirty_arbiter.testing import ArbiterProcess

APP = "fixture:App"
# A pause that nobody waits out: what ends sooner has not waited for it.
LONG = 600


def in_threads(count, work):
    """Runs work(0) … work(count - 1) at once, and gives the results in order. The first exception is raised here."""
    results, errors = [None] * count, []

    def run(number):
        try:
            results[number] = work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return results


def forked(work):
    """Runs work in a forked child; fails if it fails."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(30)
            work()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child ended with status {status}"


class Blocking(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.arbiter = ArbiterProcess(APP, threads=3)

    @classmethod
    def tearDownClass(cls):
        assert cls.arbiter.stop() == 0, "the arbiter did not end orderly"

    def setUp(self):
        self.client = DirtyClient(self.arbiter.socket)
        self.addCleanup(self.client.close)

    def echo(self, value, client=None):
        return (client or self.client).execute(APP, "echo", value)["args"][0]

    def slots_are_free(self, client=None):
        """All slots answer: whatever was cancelled has ended."""
        client = client or self.client
        self.assertEqual(in_threads(3, lambda number: client.execute(APP, "sleep", 0.05, number)), [0, 1, 2])

    # ---- values ----------------------------------------------------------------------------------------------

    def test_values_of_every_kind_come_back_as_they_were(self):
        values = [None, True, 1.5, -0.0, 5e-324, "é日👩‍👩‍👧\0", "\ud83d", [], [[{}]], {"a": {"b": [1]}}, 10**300, -(2**53)]
        for value in values:
            self.assertEqual(repr(self.echo(value)), repr(value))
        self.assertTrue(math.isnan(self.echo(float("nan"))))
        self.assertEqual(self.echo([float("inf"), {"x/~y": b"\0\xff"}]), [float("inf"), {"x/~y": b"\0\xff"}])
        self.assertEqual(self.echo((1, b"ab", bytearray(b"c"), memoryview(b"d"))), [1, b"ab", b"c", b"d"])
        self.assertEqual(self.client.execute(APP, "blob", 5), bytes(5))

    def test_every_name_of_a_keyword_argument_is_the_apps(self):
        kwargs = {"self": 1, "app_path": 2, "action": 3, "args": 4, "timeout": 5, "meta": 6}
        self.assertEqual(self.client.execute(APP, "echo", **kwargs)["kwargs"], kwargs)

    def test_without_hints_results_hold_what_json_has(self):
        plain = self.client.with_options(accept_hints=False)
        with self.assertRaises(DirtyAppError):
            plain.execute(APP, "blob", 1)
        with self.assertRaises(DirtyProtocolError) as raised:
            plain.execute(APP, "echo", [float("nan")])
        self.assertEqual(raised.exception.pointer, "/args/0/0")
        self.assertEqual(self.echo(10**20, plain), 10**20)

    def test_what_cannot_be_sent_is_named_and_nothing_is_sent(self):
        loop = []
        loop.append(loop)
        for value, place, problem in [
            ({"a": {1, 2}}, "/args/0/a", "type set"),
            (loop, "/args/0/0", "contains itself"),
            (object(), "/args/0", "type object"),
        ]:
            with self.assertRaises(DirtyProtocolError) as raised:
                self.client.execute(APP, "echo", value)
            self.assertEqual(raised.exception.pointer, place)
            self.assertIn(problem, raised.exception.message)
        with self.assertRaises(DirtyProtocolError) as raised:
            DirtyClient(self.arbiter.socket, max_frame=1000).execute(APP, "echo", "x" * 1000)
        self.assertIn("send less at once", raised.exception.message)
        for app_path, action in [("", "echo"), ("x" * 1025, "echo"), (APP, ""), (APP, "\ud83d"), (7, "echo"), (APP, None)]:
            with self.assertRaises(DirtyProtocolError):
                self.client.execute(app_path, action)
        self.assertIsNone(self.client._shared.connection)

    def test_32_mib_pass_both_ways(self):
        text = "é" * (16 << 20)
        self.assertTrue(self.echo(text) == text)
        data = os.urandom(1 << 20) * 24
        self.assertTrue(self.echo(data) == data)

    # ---- calls and streams -----------------------------------------------------------------------------------

    def test_errors_have_their_class_and_attributes(self):
        with self.assertRaises(DirtyAppError) as raised:
            self.client.execute(APP, "fail", "out of cheese")
        error = raised.exception
        self.assertEqual((str(error), error.message, error.app_path, error.action), ("out of cheese",) * 2 + (APP, "fail"))
        self.assertIn("RuntimeError: out of cheese", error.traceback)
        with self.assertRaises(DirtyAppNotFoundError) as raised:
            self.client.execute("nobody:Home", "echo")
        self.assertEqual(raised.exception.app_path, "nobody:Home")
        with self.assertRaises(DirtyAppError):
            list(self.client.stream(APP, "nothing"))

    def test_a_stream_yields_its_items_and_then_its_error(self):
        self.assertEqual(list(self.client.stream(APP, "count", 1000)), list(range(1000)))
        self.assertEqual(list(self.client.stream(APP, "count_async", 5)), list(range(5)))
        self.assertEqual(list(self.client.stream(APP, "empty")), [])
        stream, seen = self.client.stream(APP, "count_then_fail", 3), []
        with self.assertRaisesRegex(DirtyAppError, "boom"):
            for item in stream:
                seen.append(item)
        self.assertEqual(seen, [0, 1, 2])
        self.assertEqual(list(stream), [])

    def test_execute_on_a_stream_and_stream_on_a_value(self):
        for action, args in [("count", [3]), ("empty", [])]:
            with self.assertRaises(DirtyError) as raised:
                self.client.execute(APP, action, *args)
            self.assertIs(type(raised.exception), DirtyError)
            self.assertIn("stream()", raised.exception.message)
        self.assertEqual(list(self.client.stream(APP, "echo", 1)), [{"args": [1], "kwargs": {}}])
        self.slots_are_free()

    def test_leaving_a_stream_cancels_it(self):
        def by_break():
            for item in self.client.stream(APP, "slow_count", LONG, 0.01):
                if item == 2:
                    break

        def by_close():
            stream = self.client.stream(APP, "slow_count", LONG, 0.01)
            next(stream)
            stream.close()
            self.assertEqual(list(stream), [])

        def by_with():
            with self.client.stream(APP, "slow_count", LONG, LONG) as stream:
                next(stream)

        def by_collector():
            stream = self.client.stream(APP, "slow_count", LONG, LONG)
            cycle = [stream]
            cycle.append(cycle)
            del stream, cycle
            gc.collect()

        for leave in (by_break, by_close, by_with, by_collector):
            for _ in range(4):
                leave()
            self.slots_are_free()

    def test_a_stream_may_be_dropped_while_its_own_thread_holds_the_lock(self):
        stream = self.client.stream(APP, "slow_count", LONG, LONG)
        self.assertEqual(next(stream), 0)
        connection = self.client._shared.connection
        with connection._lock:
            # As the collector would, in the middle of anything.
            stream.__del__()
        self.slots_are_free()

    def test_streams_and_calls_interleave_in_one_thread(self):
        one, two = self.client.stream(APP, "count", 200), self.client.stream(APP, "count", 200)
        for number in range(200):
            self.assertEqual((next(one), self.echo(number), next(two)), (number,) * 3)
        self.assertEqual((list(one), list(two)), ([], []))

    def test_a_stream_that_is_not_read_holds_up_nobody_and_is_bounded(self):
        with mock.patch.object(_exchange.Exchange, "__init__", _small_exchange):
            client = DirtyClient(self.arbiter.socket)
            self.addCleanup(client.close)
            stream = client.stream(APP, "count", 10**9)
            for number in range(100):
                self.assertEqual(self.echo(number, client), number)
            with self.assertRaisesRegex(DirtyError, "read it faster"):
                for number, item in enumerate(stream):
                    self.assertEqual(number, item)
                    self.echo("x" * 1000, client)
            self.slots_are_free(client)

    # ---- threads ---------------------------------------------------------------------------------------------

    def test_threads_share_one_connection_and_get_their_own_answers(self):
        def work(thread):
            for turn in range(50):
                self.assertEqual(self.client.execute(APP, "echo", thread, turn)["args"], [thread, turn])
                self.assertEqual(list(self.client.stream(APP, "count", turn % 7)), list(range(turn % 7)))
            return self.client._shared.connection

        self.assertEqual(len(set(in_threads(12, work))), 1)

    def test_a_quick_call_overtakes_a_slow_one(self):
        slow = threading.Thread(target=lambda: self.client.execute(APP, "sleep", 0.5, "slow"))
        slow.start()
        start = time.monotonic()
        for number in range(20):
            self.echo(number)
        self.assertTrue(slow.is_alive(), f"{time.monotonic() - start} s")
        slow.join()

    def waiting(self, seconds):
        """A thread that waits for a call of so many seconds, and reads for the others meanwhile."""
        thread = threading.Thread(target=lambda: self.client.execute(APP, "sleep", seconds, "x"))
        self.echo("connect")
        thread.start()
        while not self.client._shared.connection._leading:
            time.sleep(0.001)
        self.addCleanup(thread.join)
        return thread

    def test_the_reading_is_handed_over(self):
        first = self.waiting(0.2)
        second = self.waiting(0.5)
        third = threading.Thread(target=lambda: list(self.client.stream(APP, "slow_count", 8, 0.1)))
        third.start()
        for thread in (first, second, third):
            thread.join(20)
            self.assertFalse(thread.is_alive(), "nobody reads")

    def test_a_caller_that_gives_up_when_it_should_read_leaves_it_to_another(self):
        self.waiting(0.2)
        connection = self.client._shared.connection
        follow = connection._follow

        def late(inbox, rest):
            follow(inbox, rest)
            if rest is not None and rest < 100:
                # It has been called to read, and by now its own time is over.
                time.sleep(0.5)

        connection._follow = late
        gives_up = threading.Thread(
            target=lambda: self.assertRaises(
                DirtyTimeoutError, self.client.with_options(timeout=0.4).execute, APP, "sleep", LONG, "x"
            )
        )
        gives_up.start()
        while not connection._followers:
            time.sleep(0.001)
        patient = threading.Thread(target=lambda: self.client.execute(APP, "sleep", 0.6, "x"), daemon=True)
        patient.start()
        gives_up.join(20)
        patient.join(20)
        self.assertFalse(patient.is_alive(), "nobody reads")

    def test_what_is_left_while_another_thread_waits_is_cancelled_at_once(self):
        other = DirtyClient(self.arbiter.socket)
        self.addCleanup(other.close)
        stream = self.client.stream(APP, "slow_count", LONG, LONG)
        next(stream)
        waits = self.waiting(3)
        with self.client._shared.connection._lock:
            stream.__del__()
        # Two slots are free, the third is that of the thread that waits: these two run at once or last too long.
        in_threads(2, lambda number: other.execute(APP, "sleep", 1.6, number))
        self.assertTrue(waits.is_alive())

    def test_a_large_request_does_not_wait_for_the_thread_that_reads(self):
        waits = self.waiting(3)
        text = "x" * (6 << 20)
        self.assertTrue(self.echo(text) == text)
        self.assertTrue(waits.is_alive())

    def test_a_response_in_a_stream_closes_the_connection(self):
        import json
        import socket

        def arbiter(listener):
            for answers in ([("chunk", "data"), ("response", "result")], [("response", "result")]):
                connection, _ = listener.accept()
                connection.settimeout(10)
                frames = FrameDecoder(Limits())
                while (payload := frames.next()) is None:
                    frames.feed(connection.recv(65536))
                for kind, member in answers:
                    message = json.dumps({"type": kind, "id": json.loads(payload)["id"], member: 1}).encode()
                    connection.sendall(len(message).to_bytes(4, "big") + message)
                self.assertEqual(connection.recv(1), b"")
                connection.close()

        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/d.sock")
            listener.listen()
            thread = threading.Thread(target=arbiter, args=(listener,))
            thread.start()
            with DirtyClient(f"{folder}/d.sock") as client:
                stream = client.stream("a:B", "c")
                self.assertEqual(next(stream), 1)
                with self.assertRaises(DirtyProtocolError) as raised:
                    next(stream)
                self.assertEqual(raised.exception.requirement, "STREAM-5")
                self.assertEqual(client.execute("a:B", "c"), 1)
            thread.join()

    def test_threads_with_limits_do_not_leave_the_others_without_a_reader(self):
        def work(thread):
            for turn in range(20):
                if thread % 2:
                    with self.assertRaises(DirtyTimeoutError):
                        self.client.with_options(timeout=0.01 + thread / 1000).execute(APP, "sleep", LONG, "x")
                else:
                    self.echo([thread, turn])

        in_threads(6, work)
        self.slots_are_free()

    def test_large_requests_of_many_threads_pass_whole(self):
        def work(thread):
            text = chr(97 + thread) * (3 << 20)
            return self.echo(text) == text

        self.assertEqual(in_threads(8, work), [True] * 8)

    # ---- limits ----------------------------------------------------------------------------------------------

    def test_a_limit_ends_the_call_and_the_work(self):
        client = self.client.with_options(timeout=0.1)
        for _ in range(4):
            with self.assertRaises(DirtyTimeoutError) as raised:
                client.execute(APP, "sleep", LONG, "x")
            self.assertEqual((raised.exception.timeout, raised.exception.action), (0.1, "sleep"))
        self.slots_are_free()

    def test_a_limit_is_on_the_gap_of_a_stream(self):
        client = self.client.with_options(timeout=0.4)
        self.assertEqual(list(client.stream(APP, "slow_count", 6, 0.1)), list(range(6)))
        seen = []
        with self.assertRaises(DirtyTimeoutError):
            for item in client.stream(APP, "slow_count", 3, LONG):
                seen.append(item)
        self.assertEqual(seen, [0])
        self.slots_are_free()

    def test_limits_that_are_none_and_limits_that_cannot_be(self):
        self.assertEqual(self.echo(1, self.client.with_options(timeout=None)), 1)
        for longest in (1e9, 1e10, float("inf")):
            # With a connection to make, and another caller to wait for.
            with DirtyClient(self.arbiter.socket, timeout=longest) as client:
                with ThreadPoolExecutor(3) as pool:
                    self.assertEqual(list(pool.map(self.echo, range(9), [client] * 9)), list(range(9)))
        for bad in (0, -1, float("nan"), "5", True):
            with self.assertRaises(ValueError):
                DirtyClient(self.arbiter.socket, timeout=bad)

    def test_an_interrupted_call_is_cancelled_and_the_connection_lives(self):
        class Interrupted(BaseException):
            pass

        def interrupt(*_):
            raise Interrupted

        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            self.echo("connect")
            connection = self.client._shared.connection
            for _ in range(4):
                signal.setitimer(signal.ITIMER_REAL, 0.1)
                with self.assertRaises(Interrupted):
                    self.client.execute(APP, "sleep", LONG, "x")
            self.slots_are_free()
            self.assertIs(self.client._shared.connection, connection)
        finally:
            signal.signal(signal.SIGALRM, before)

    def test_a_reader_that_is_interrupted_hands_over(self):
        class Interrupted(BaseException):
            pass

        def interrupt(*_):
            raise Interrupted

        self.echo("connect")
        follows = threading.Thread(target=lambda: self.client.execute(APP, "sleep", 0.6, "x"), daemon=True)

        def start():
            while not self.client._shared.connection._leading:
                time.sleep(0.001)
            follows.start()

        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            starter = threading.Thread(target=start)
            starter.start()
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with self.assertRaises(Interrupted):
                self.client.execute(APP, "sleep", LONG, "x")
            starter.join()
        finally:
            signal.signal(signal.SIGALRM, before)
        follows.join(20)
        self.assertFalse(follows.is_alive(), "nobody reads")

    # ---- forks -----------------------------------------------------------------------------------------------

    def test_a_forked_child_has_a_connection_of_its_own(self):
        self.assertEqual(self.echo("before"), "before")
        stream = self.client.stream(APP, "slow_count", 20, 0.01)
        self.assertEqual(next(stream), 0)

        def child():
            assert self.echo("child") == "child"
            try:
                next(stream)
            except DirtyConnectionError as error:
                assert "forked" in error.message
            else:
                raise AssertionError("a stream of the parent was read")
            stream.close()
            self.client.close()

        forked(child)
        self.assertEqual(list(stream), list(range(1, 20)))
        self.assertEqual(self.echo("after"), "after")

    def test_a_fork_while_threads_hold_the_locks(self):
        stop = threading.Event()

        def work():
            while not stop.is_set():
                self.echo("x" * 100_000)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(10):
                forked(lambda: self.assertEqual(self.echo("child"), "child"))
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def test_a_closed_client_connects_again_and_leaks_no_descriptor(self):
        self.echo(1)
        self.client.close()
        before = len(os.listdir("/proc/self/fd"))
        for number in range(20):
            self.assertEqual(self.echo(number), number)
            self.client.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_closing_fails_the_calls_in_flight(self):
        failed = []

        def call():
            try:
                self.client.execute(APP, "sleep", 2, "x")
            except DirtyConnectionError as error:
                failed.append(error.message)

        threads = [threading.Thread(target=call) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        self.client.close()
        for thread in threads:
            thread.join(1.5)
            self.assertFalse(thread.is_alive())
        self.assertEqual(len(failed), 3)
        self.assertIn("the client was closed", failed[0])

    # ---- the clients of the process --------------------------------------------------------------------------

    def test_the_clients_of_the_process(self):
        with mock.patch.dict(os.environ, {"DIRTY_SOCKET": self.arbiter.socket}):
            client = get_dirty_client()
            self.assertIs(get_dirty_client(), client)
            quick = get_dirty_client(timeout=5)
            self.assertEqual((quick.timeout, client.timeout), (5, 330))
            self.assertEqual(quick.execute(APP, "echo")["args"], [])
            self.assertIs(quick._shared, client._shared)
            close_dirty_client()
        with mock.patch.dict(os.environ, {"DIRTY_SOCKET": "/nowhere"}):
            set_dirty_socket_path(self.arbiter.socket)
            try:
                self.assertEqual(get_dirty_client().execute(APP, "echo")["args"], [])
            finally:
                close_dirty_client()
                set_dirty_socket_path(None)

    def test_gevent(self):
        script = Path(__file__).with_name("gevent_calls.py")
        environment = {**os.environ, "DIRTY_SOCKET": self.arbiter.socket}
        environment["PYTHONPATH"] = str(script.parents[1])
        ended = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual((ended.returncode, ended.stdout), (0, "ok\n"), ended.stderr)


def _small_exchange(self, path, limits, stream_limit=0):
    _ORIGINAL(self, path, limits, 50_000)


_ORIGINAL = _exchange.Exchange.__init__


class Unreachable(unittest.TestCase):
    def test_every_way_not_to_reach_an_arbiter_is_explained(self):
        with tempfile.TemporaryDirectory() as folder:
            left = f"{folder}/left"
            import socket

            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(left)
            for path, says in [
                (f"{folder}/none", "no socket at"),
                (left, "nobody listens on"),
                ("/" + "x" * 200, "at most 107 bytes"),
            ]:
                with self.assertRaises(DirtyConnectionError) as raised:
                    DirtyClient(path).execute(APP, "echo")
                self.assertIn(says, raised.exception.message)
                self.assertEqual(raised.exception.socket_path, path)

    def test_a_backlog_that_is_full_is_waited_for(self):
        import socket

        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            path = f"{folder}/d.sock"
            listener.bind(path)
            listener.listen(0)
            with socket.socket(socket.AF_UNIX) as first:
                first.connect(path)
                start = time.monotonic()
                with self.assertRaises(DirtyTimeoutError):
                    DirtyClient(path, timeout=0.3).execute(APP, "echo")
                self.assertGreater(time.monotonic() - start, 0.25)

    def test_nothing_that_names_a_socket(self):
        with mock.patch.dict(os.environ, {"DIRTY_SOCKET": "", "GUNICORN_DIRTY_SOCKET": ""}):
            os.environ.pop("XDG_RUNTIME_DIR", None)
            with self.assertRaises(DirtyConnectionError) as raised:
                get_dirty_client()
        self.assertIn("DIRTY_SOCKET is empty", raised.exception.message)
        self.assertIn("XDG_RUNTIME_DIR is not set", raised.exception.message)

    def test_an_arbiter_that_goes_and_comes_back(self):
        arbiter = ArbiterProcess(APP)
        path = arbiter.socket
        client = DirtyClient(path)
        self.assertEqual(client.execute(APP, "echo", 1)["args"], [1])
        failed = []

        def call():
            try:
                client.execute(APP, "sleep", LONG, "x")
            except DirtyError as error:
                failed.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        time.sleep(0.2)
        arbiter.process.kill()
        arbiter.process.wait()
        thread.join(10)
        self.assertIsInstance(failed[0], DirtyConnectionError)
        self.assertIn("may or may not have run", failed[0].message)
        with self.assertRaises(DirtyConnectionError):
            client.execute(APP, "echo", 2)
        again = subprocess.Popen(
            [arbiter.process.args[0], "serve", "--socket", path, "--workers", "1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            self.assertIn(b"listening", again.stdout.readline())
            self.assertEqual(client.execute(APP, "echo", 3)["args"], [3])
        finally:
            client.close()
            again.terminate()
            again.communicate()
            arbiter.stop()

    def test_a_worker_that_dies(self):
        with ArbiterProcess(APP) as arbiter:
            with self.assertRaises(DirtyWorkerError) as raised:
                arbiter.client.execute(APP, "die", 7)
            self.assertEqual(raised.exception.exit_code, 7)
            self.assertEqual(arbiter.client.execute(APP, "incr", "x"), 1)


if __name__ == "__main__":
    unittest.main()
