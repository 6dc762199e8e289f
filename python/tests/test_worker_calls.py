"""What a worker answers: results, failures, streams, cancels."""

import tempfile
import unittest
from pathlib import Path

from .workers import WorkerProcess

LAB = "lab:Lab"


class Calls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.diary = Path(cls.folder.name) / "diary"
        apps = (LAB, "lab:Duck", "lab:Bare", "lab:Seed", "lab:Outer.Inner")
        cls.worker = WorkerProcess(*apps, DIRTY_THREADS="2", DIARY=str(cls.diary), DIRTY_MAX_FRAME="20000000")
        cls.peer = cls.worker.ready()
        cls.other = cls.worker.connect()

    @classmethod
    def tearDownClass(cls):
        cls.worker.__exit__()
        cls.folder.cleanup()

    def setUp(self):
        self.diary.write_text("")

    def tearDown(self):
        # Whatever a test did: both slots serve.
        for peer in (self.peer, self.other):
            self.assertEqual(peer.result(LAB, "echo", "still here"), "still here")

    def fails(self, message, action, *args, app_path=LAB, error_type="DirtyAppError", **more):
        error = self.peer.error(app_path, action, *args, **more)
        self.assertEqual(error["error_type"], error_type)
        self.assertIn(message, error["message"])
        details = error["details"]
        self.assertEqual((details["app_path"], details["action"]), (app_path, action))
        return error

    # ---- apps and actions ------------------------------------------------------------------------------------

    def test_apps_of_every_kind_are_served(self):
        self.assertEqual(self.peer.result("lab:Bare", "hello", "world"), "hello world")
        self.assertEqual(self.peer.result("lab:Outer.Inner", "hello"), "inner")
        duck = self.peer.result("lab:Duck", "any", 1, kwargs={"a": 2})
        self.assertEqual(duck, ["any", [1], {"a": 2}, True])
        self.assertEqual(self.peer.result("lab:Seed", "hello"), "hello")

    def test_private_names_and_the_life_cycle_are_no_actions(self):
        for app_path in (LAB, "lab:Seed", "lab:Duck", "lab:Bare"):
            for action in ("_private", "__init__", "init", "close", "__class__"):
                self.fails("Unknown action", action, app_path=app_path)

    def test_what_an_app_does_not_have_is_an_unknown_action(self):
        for app_path in (LAB, "lab:Bare", "lab:Seed"):
            self.fails("Unknown action: nothing", "nothing", app_path=app_path)
        self.fails("not callable", "models")

    def test_an_app_that_is_not_served_is_not_found(self):
        self.fails("nobody:Home", "x", app_path="nobody:Home", error_type="DirtyAppNotFoundError")

    def test_wrong_arguments_are_the_apps_error(self):
        self.fails("missing 1 required positional argument", "echo")
        self.fails("unexpected keyword argument", "echo", 1, kwargs={"b": 1})

    def test_no_name_of_an_argument_is_taken(self):
        kwargs = {"self": 1, "action": 2, "app_path": 3, "args": 4, "kwargs": 5, "timeout": 6}
        self.assertEqual(self.peer.result(LAB, "names", kwargs=kwargs), sorted(kwargs))

    def test_the_call_is_known_to_its_action(self):
        expected = ["call", LAB, "about", {"trace": "t"}, True, True]
        more = {"meta": {"trace": "t"}, "accept_hints": True, "timeout": 5}
        self.assertEqual(self.peer.result(LAB, "about", **more), expected)
        self.assertEqual(self.peer.result(LAB, "about_async", **more)[2], "about_async")
        self.assertEqual(self.peer.call(LAB, "about_stream")["data"][2], "about_stream")
        self.assertEqual(self.peer.receive()["type"], "end")

    # ---- values ----------------------------------------------------------------------------------------------

    def test_what_cannot_be_sent_is_named_with_its_place(self):
        for action, place, what in [
            ("a_set", "/result/deep/1", "an object of type set"),
            ("a_date", "/result/0", "an object of type datetime.datetime"),
            ("a_loop", "/result/0/again", "list contains itself"),
            ("bad_key", "/result/a", "a key is an object of type tuple"),
            ("huge_integer", "/result", "integer string conversion"),
        ]:
            error = self.fails(what, action)
            self.assertIn(f"at {place}:", error["message"])
            self.assertEqual((error["details"]["pointer"], error["details"]["requirement"]), (place, "ERR-7"))
            self.assertNotIn("traceback", error["details"])

    def test_depth_is_counted_and_costs_no_stack(self):
        self.assertEqual(self.peer.call(LAB, "deep", 511)["type"], "response")
        self.assertEqual(self.fails("nested too deep", "deep", 512)["details"]["requirement"], "VAL-3")
        self.fails("nested too deep", "deep", 100_000)

    def test_keys_and_subclasses_are_written_as_python_writes_them(self):
        self.assertEqual(self.peer.result(LAB, "odd_keys"), {"1": "int", "2.5": "float", "false": "bool", "null": "none"})
        self.assertEqual(self.peer.result(LAB, "subclasses"), ["t", 1, [1, 2]])
        self.assertEqual(len(next(iter(self.peer.result(LAB, "big_key", 10_000_000)))), 10_000_000)

    def test_a_result_over_the_frame_limit_is_the_apps_error(self):
        error = self.fails("frame limit", "big_key", 20_000_000)
        self.assertEqual(error["details"]["requirement"], "ERR-8")

    def test_hints_reach_the_arguments(self):
        hints = {"/args/0": "base64", "/args/1": "int", "/args/2/x/0": "float"}
        values = ["AAE=", "12345678901234567890", {"x": ["NaN"]}]
        self.assertEqual(self.peer.result(LAB, "types", *values, hints=hints), ["bytes", "int", "dict"])
        for place, hint, value, problem in [
            ("/args/1", "base64", "AAE=", "names nothing"),
            ("/args/0/x", "base64", "AAE=", "names nothing"),
            ("/kwargs/x", "base64", "AAE=", "names nothing"),
            ("/app_path", "int", "1", "names nothing"),
            ("/args/0", "base64", 1, "not a string"),
            ("/args/0", "base64", "AAE", "base64"),
            ("/args/0", "base64", "AA\nE=", "base64"),
            ("/args/0", "int", "1.0", "decimal"),
            ("/args/0", "int", "१", "decimal"),
            ("/args/0", "float", "inf", "Infinity"),
        ]:
            error = self.fails(problem, "echo", value, hints={place: hint})
            self.assertEqual(error["details"]["pointer"], place)

    def test_surrogates_and_large_integers_pass(self):
        self.assertEqual(self.peer.result(LAB, "lone_surrogate"), "a\ud83d")
        self.assertEqual(self.peer.result(LAB, "echo", 10**4000), 10**4000)

    def test_an_integer_that_python_does_not_read_is_an_error_of_its_call(self):
        digits = "9" * 5000
        request = f'{{"type":"request","id":"r","app_path":"{LAB}","action":"echo","args":[{{"a":{digits}}}]}}'
        self.peer.send_text(request)
        answer = self.peer.receive()
        self.assertEqual(answer["error"]["error_type"], "DirtyAppError")
        self.assertEqual(answer["error"]["details"]["pointer"], "/args/0/a")

    # ---- failures --------------------------------------------------------------------------------------------

    def test_whatever_is_raised_is_the_apps_error_and_the_worker_lives(self):
        pid = self.worker.process.pid
        for kind, args, message in [
            ("SystemExit", [3], "SystemExit: 3"),
            ("KeyboardInterrupt", [], "KeyboardInterrupt"),
            ("StopIteration", ["x"], "x"),
            ("GeneratorExit", [], "GeneratorExit"),
            ("CancelledError", [], "CancelledError"),
            ("TimeoutError", ["late"], "late"),
            ("Unprintable", [], "whose text cannot be had"),
        ]:
            with self.subTest(kind):
                error = self.fails(message, "fail", kind, *args)
                self.assertIn("in fail", error["details"]["traceback"])
                self.assertNotIn("_run.py", error["details"]["traceback"])
                # A coroutine that raises StopIteration raises RuntimeError: Python's rule.
                self.fails(message if kind != "StopIteration" else "StopIteration", "fail_async", kind, *args)
                for action in ("stream_fail", "stream_fail_async"):
                    self.peer.request("s", LAB, action, kind, *args)
                    self.assertEqual(self.peer.receive(), {"type": "chunk", "id": "s", "data": 1})
                    answer = self.peer.receive()
                    self.assertEqual(answer["error"]["error_type"], "DirtyAppError", answer)
                    self.assertEqual(answer["error"]["details"]["action"], action)
        self.assertEqual(self.peer.result(LAB, "task_exit"), "still here")
        self.assertEqual(self.worker.process.pid, pid)
        self.assertIsNone(self.worker.process.poll())

    def test_an_error_from_elsewhere_is_the_apps_error_with_what_is_known(self):
        details = self.fails("from elsewhere", "fail_dirty")["details"]
        self.assertEqual((details["requirement"], details["shop"]), ("MSG-7", "flowers"))
        self.assertNotIn("timeout", details)

    def test_texts_that_no_message_can_hold_are_made_to_fit(self):
        self.fails("a\\ud83d", "fail_surrogate")
        error = self.fails("cannot be sent", "fail_long", 30_000_000)
        self.assertLess(len(error["message"]), 1000)

    # ---- streams ---------------------------------------------------------------------------------------------

    def items(self, action, *args):
        self.peer.request("s", LAB, action, *args)
        items = []
        while (message := self.peer.receive())["type"] == "chunk":
            items.append(message["data"])
        return items, message

    def test_everything_that_comes_in_pieces_is_a_stream(self):
        end = {"type": "end", "id": "s"}
        self.assertEqual(self.items("count", 3), ([0, 1, 2], end))
        self.assertEqual(self.items("count_async", 3), ([0, 1, 2], end))
        self.assertEqual(self.items("mapped", 2), (["0", "1"], end))
        self.assertEqual(self.items("later_stream", 2), ([0, 1], end))
        self.assertEqual(self.items("later_async_stream", 2), ([0, 1], end))
        self.assertEqual(self.items("count", 0), ([], end))

    def test_an_item_that_cannot_be_sent_ends_its_stream(self):
        items, last = self.items("set_in_stream")
        self.assertEqual(items, [1])
        self.assertIn("/data", last["error"]["message"])

    def test_large_items_of_an_async_stream_wait_for_a_slow_reader_and_hold_up_no_other(self):
        self.peer.request("s", LAB, "large_chunks", 8, 1_000_000)
        # The other slot's asynchronous actions share the event loop.
        for _ in range(3):
            self.assertEqual(self.other.result(LAB, "about_async")[2], "about_async")
        sizes = []
        while (message := self.peer.receive())["type"] == "chunk":
            sizes.append(len(message["data"]))
        self.assertEqual(sizes, [1_000_000] * 8)

    # ---- cancel ----------------------------------------------------------------------------------------------

    def cancelled(self, action, *args, wait=None, peer=None):
        peer = peer or self.peer
        peer.request("c", LAB, action, *args)
        if wait is not None:
            wait()
        peer.send({"type": "cancel", "id": "c"})
        while (message := peer.receive())["type"] == "chunk":
            pass
        return message

    def test_a_generator_is_closed(self):
        for action in ("count", "count_async"):
            answer = self.cancelled(action, 10**9, wait=self.peer.receive)
            self.assertEqual(answer["error"]["error_type"], "DirtyCancelledError")
            self.assertEqual(answer["error"]["details"], {"app_path": LAB, "action": action})
        self.assertEqual(self.diary.read_text(), "closed\nclosed\n")

    def test_a_coroutine_is_cancelled_where_it_waits(self):
        answer = self.cancelled("never")
        self.assertEqual(answer["error"]["error_type"], "DirtyCancelledError")
        self.assertEqual(self.diary.read_text(), "cancelled\n")
        answer = self.cancelled("count_async", 3, 600)
        self.assertEqual(answer["error"]["error_type"], "DirtyCancelledError")

    def test_a_call_that_asks_gives_up(self):
        entered = lambda: self.assertTrue(self.other.result(LAB, "wait_entered"))  # noqa: E731
        answer = self.cancelled("until_cancelled", wait=entered)
        self.assertEqual(answer["error"]["error_type"], "DirtyCancelledError")

    def test_an_action_may_finish_in_spite_of_it(self):
        self.assertEqual(self.cancelled("ignore_cancel", 0.1)["result"], "finished")
        self.assertEqual(self.cancelled("stubborn")["result"], "finished all the same")

    def test_cancels_of_other_and_ended_requests_are_ignored(self):
        for peer in (self.peer, self.other):
            peer.send({"type": "cancel", "id": "nobody"})
        self.peer.request("s", LAB, "count_async", 3, 0.01)
        self.peer.send({"type": "cancel", "id": "call"})
        kinds = [self.peer.receive()["type"] for _ in range(4)]
        self.assertEqual(kinds, ["chunk"] * 3 + ["end"])
        # The id of a cancelled request may come again.
        self.cancelled("never")
        self.peer.request("c", LAB, "echo", 1)
        self.assertEqual(self.peer.receive()["result"], 1)

    def test_two_slots_run_at_once(self):
        self.peer.request("slow", LAB, "until_cancelled")
        self.assertTrue(self.other.result(LAB, "wait_entered"))
        self.peer.send({"type": "cancel", "id": "slow"})
        self.assertEqual(self.peer.receive()["id"], "slow")


if __name__ == "__main__":
    unittest.main()
