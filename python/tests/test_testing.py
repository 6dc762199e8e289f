"""The kit for the tests of apps: calls in this process, and the fixtures of pytest."""

import asyncio
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from dirty_arbiter import DirtyApp, DirtyAppError, DirtyAppNotFoundError, DirtyConnectionError, DirtyError
from dirty_arbiter.testing import ArbiterProcess, LocalClient

from .workers import HERE

APP = "shop:Cart"


class Cart(DirtyApp):
    def __init__(self):
        self.closed = False
        self.stopped = 0

    def init(self):
        self.items = {}

    def add(self, name, count=1):
        self.items[name] = self.items.get(name, 0) + count
        return self.items

    def bad(self):
        return {1, 2}

    def fail(self):
        raise KeyError("bread")

    async def later(self, value):
        await asyncio.sleep(0.001)
        return value

    def names(self):
        try:
            yield from self.items
        finally:
            self.stopped += 1

    async def names_async(self):
        for name in self.items:
            yield name

    def endless(self):
        number = 0
        try:
            while True:
                yield number
                number += 1
        finally:
            self.stopped += 1

    def close(self):
        self.closed = True


class Local(unittest.TestCase):
    def setUp(self):
        self.cart = Cart()
        self.cart.init()
        self.client = LocalClient({APP: self.cart})

    def test_results_are_as_through_an_arbiter(self):
        self.assertEqual(self.client.execute(APP, "add", "bread", count=2), {"bread": 2})
        self.assertIsNot(self.client.execute(APP, "add", "milk"), self.cart.items)
        self.assertEqual(self.client.execute(APP, "later", b"bytes"), b"bytes")
        self.assertEqual(list(self.client.stream(APP, "names")), ["bread", "milk"])
        self.assertEqual(list(self.client.stream(APP, "names_async")), ["bread", "milk"])
        self.assertEqual(list(self.client.stream(APP, "later", 7)), [7])

    def test_errors_are_as_through_an_arbiter_and_have_their_cause(self):
        with self.assertRaises(DirtyAppError) as raised:
            self.client.execute(APP, "fail")
        self.assertEqual((raised.exception.action, raised.exception.message), ("fail", "'bread'"))
        self.assertIsInstance(raised.exception.__cause__, KeyError)
        for action in ("init", "close", "_private", "nothing"):
            with self.assertRaisesRegex(DirtyAppError, "Unknown action"):
                self.client.execute(APP, action)
        with self.assertRaises(DirtyAppNotFoundError):
            self.client.execute("shop:Other", "x")
        with self.assertRaisesRegex(DirtyAppError, "type set"):
            self.client.execute(APP, "bad")
        with self.assertRaisesRegex(DirtyError, "stream()"):
            self.client.execute(APP, "names")
        with self.assertRaisesRegex(DirtyAppError, "/result"):
            LocalClient({APP: self.cart}, accept_hints=False).execute(APP, "later", b"x")

    def test_a_stream_that_is_left_is_cancelled(self):
        for item in self.client.stream(APP, "endless"):
            if item == 5:
                break
        self.assertEqual(self.cart.stopped, 1)

    def test_the_asynchronous_calls(self):
        async def calls():
            self.assertEqual(await self.client.execute_async(APP, "add", "bread"), {"bread": 1})
            self.assertEqual(await self.client.execute_async(APP, "later", 1), 1)
            self.assertEqual([item async for item in self.client.stream_async(APP, "names")], ["bread"])
            with self.assertRaises(DirtyAppError):
                await self.client.execute_async(APP, "fail")

        asyncio.run(calls())

    def test_apps_are_loaded_by_their_paths(self):
        with mock.patch.object(sys, "path", [str(HERE / "apps"), *sys.path]):
            with LocalClient("lab:Lab") as client:
                self.assertEqual(client.execute("lab:Lab", "echo", 1), 1)
        from dirty_arbiter.worker._apps import BootError

        with self.assertRaises(BootError):
            LocalClient("nothing:Here")


class Fairness(unittest.TestCase):
    def test_a_stream_that_is_always_ready_leaves_the_event_loop_to_others_now_and_then(self):
        from dirty_arbiter._frame import Limits
        from dirty_arbiter._messages import Replies
        from dirty_arbiter.worker._apps import Apps
        from dirty_arbiter.worker._run import Runner

        turns = []

        class Ready:
            def is_cancelled(self):
                return False

            async def send_async(self, frame):
                pass

        async def endless():
            while not turns:
                yield 1

        async def other():
            turns.append(1)

        async def both():
            asyncio.ensure_future(other())
            runner = Runner(Apps(), Limits(), 0.0, True)
            await runner._stream_async(endless(), Ready(), Replies("r", True, Limits()))

        asyncio.run(asyncio.wait_for(both(), 60))
        self.assertEqual(turns, [1])


class Plugin(unittest.TestCase):
    def test_the_fixtures_serve_the_apps_of_a_project(self):
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            (project / "shop.py").write_text("class Cart:\n    def add(self, item):\n        return [item]\n")
            (project / "pytest.ini").write_text("[pytest]\ndirty_apps =\n    shop:Cart\n")
            (project / "test_shop.py").write_text(
                "from dirty_arbiter import get_dirty_client\n\n"
                "def test_add(dirty_client):\n    assert dirty_client.execute('shop:Cart', 'add', 'x') == ['x']\n\n"
                "def test_code_under_test_finds_it(dirty_arbiter):\n"
                "    assert get_dirty_client().execute('shop:Cart', 'add', 'y') == ['y']\n"
                "    assert 'serving shop:Cart' in dirty_arbiter.log()\n"
            )
            environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
            command = [sys.executable, "-m", "pytest", "-q", "-p", "dirty_arbiter.pytest_plugin", "-p", "no:cacheprovider"]
            ended = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)
            self.assertIn("2 passed", ended.stdout, ended.stdout + ended.stderr)
            (project / "pytest.ini").write_text("[pytest]\n")
            ended = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)
            self.assertIn("needs the setting dirty_apps", ended.stdout)

    def test_an_arbiter_that_does_not_start_says_why(self):
        with self.assertRaises(DirtyConnectionError) as raised:
            ArbiterProcess("fixture:App", arguments=["--no-such-flag"])
        self.assertIn("--no-such-flag", raised.exception.message)


if __name__ == "__main__":
    unittest.main()
