"""What apps should not do, through a whole arbiter: each ends in a clear error for its caller, and nobody else notices."""

import threading
import unittest
from pathlib import Path

from dirty_arbiter import DirtyAppError, DirtyWorkerError
from dirty_arbiter.testing import ArbiterProcess

APPS = Path(__file__).resolve().parent / "apps"
ROGUE, NEIGHBOUR = "rogue:Rogue", "rogue:Neighbour"
LONG = 10_000_000


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.arbiter = ArbiterProcess(ROGUE, NEIGHBOUR, workers=2, python_path=[APPS])
        cls.addClassCleanup(cls.arbiter.stop)
        cls.client = cls.arbiter.client
        # For those that read no hints, such as gunicorn's client.
        cls.plain = cls.client.with_options(accept_hints=False)

    def setUp(self):
        """Somebody else calls all the time, on the same connection and in the same workers."""
        self.over = threading.Event()
        self.sums, self.wrong = 0, []

        def others():
            while not self.over.is_set():
                try:
                    if self.client.execute(NEIGHBOUR, "add", self.sums, 1) != self.sums + 1:
                        raise AssertionError("the answer is another call's")
                except BaseException as error:
                    self.wrong.append(error)
                self.sums += 1

        thread = threading.Thread(target=others)
        thread.start()
        self.addCleanup(self.served_all_the_time)
        self.addCleanup(thread.join)
        self.addCleanup(self.over.set)

    def served_all_the_time(self):
        self.assertEqual(self.wrong, [])
        self.assertGreater(self.sums, 0)
        self.assertEqual(self.client.execute(NEIGHBOUR, "add", 2, 2), 4)

    def failed(self, kind, action, *args, client=None):
        with self.assertRaises(kind) as raised:
            (client or self.client).execute(ROGUE, action, *args)
        error = raised.exception
        self.assertEqual((error.app_path, error.action), (ROGUE, action))
        return error

    def test_a_result_that_cannot_be_sent_is_named_with_its_place(self):
        for action, place, says in [
            ("nan", "/result/scores/1", "NaN is not JSON"),
            ("a_set", "/result/deep/1", "an object of type set is not a JSON value"),
            ("a_date", "/result/made", "an object of type datetime.datetime is not a JSON value"),
            ("a_loop", "/result/again/0", "an object of type dict contains itself"),
        ]:
            error = self.failed(DirtyAppError, action, client=self.plain)
            self.assertEqual(error.pointer, place)
            self.assertIn(f"the value at {place}: {says}", error.message)
        self.assertEqual(str(self.client.execute(ROGUE, "nan")), "{'scores': [0.5, nan]}")

    def test_a_key_of_ten_megabytes_passes_and_is_not_repeated_in_an_error(self):
        (key,) = self.client.execute(ROGUE, "long_key", LONG, 1)
        self.assertEqual(len(key), LONG)
        error = self.failed(DirtyAppError, "set_under_a_long_key", LONG)
        self.assertIn("an object of type set is not a JSON value", error.message)
        self.assertLess(len(error.message), 2000)
        self.assertLess(len(error.pointer), 2000)
        error = self.failed(DirtyAppError, "long_key", 70_000_000, 1)
        self.assertIn("exceed the frame limit", error.message)

    def test_whatever_an_app_prints_is_logged_and_disturbs_nothing(self):
        for _ in range(3):
            self.assertEqual(self.client.execute(ROGUE, "garbage"), "printed")
        self.assertIn("garbage", self.arbiter.log())

    def test_an_app_that_closes_the_output_is_served_on(self):
        pids = set()
        while len(pids) < 2:
            pids.add(self.client.execute(ROGUE, "pid"))
        for _ in range(2):
            try:
                self.client.execute(ROGUE, "close_output")
            except DirtyAppError as error:
                self.assertIn("Bad file descriptor", error.message)
        for _ in range(8):
            self.assertIn(self.client.execute(ROGUE, "pid"), pids)

    def test_an_app_that_ends_its_process_fails_its_own_call(self):
        error = self.failed(DirtyWorkerError, "leave", 9)
        self.assertEqual(error.exit_code, 9)
        # A worker that exits with 0 has not been told to end either.
        self.assertEqual(self.failed(DirtyWorkerError, "leave", 0).exit_code, 0)
        stream = self.client.stream(ROGUE, "stream_then_leave", 3)
        self.assertEqual(next(stream), 1)
        with self.assertRaises(DirtyWorkerError) as raised:
            next(stream)
        self.assertEqual(raised.exception.exit_code, 3)

    def test_an_exit_that_is_raised_ends_its_call_only(self):
        pids = set()
        while len(pids) < 2:
            pids.add(self.client.execute(ROGUE, "pid"))
        self.assertEqual(self.failed(DirtyAppError, "sys_exit", 1).message, "SystemExit: 1")
        self.assertEqual(self.failed(DirtyAppError, "interrupt").message, "KeyboardInterrupt")
        stream = self.client.stream(ROGUE, "stream_interrupt")
        self.assertEqual(next(stream), 1)
        with self.assertRaisesRegex(DirtyAppError, "KeyboardInterrupt"):
            next(stream)
        for _ in range(8):
            self.assertIn(self.client.execute(ROGUE, "pid"), pids, "a worker was replaced")


if __name__ == "__main__":
    unittest.main()
