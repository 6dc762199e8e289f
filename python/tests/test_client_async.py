"""The asynchronous client against a real arbiter: tasks, streams, limits, several loops."""

import asyncio
import gc
import os
import stat
import threading
import time
import unittest
from unittest import mock

from dirty_arbiter import (
    DirtyAppError,
    DirtyClient,
    DirtyConnectionError,
    DirtyError,
    DirtyProtocolError,
    DirtyTimeoutError,
    _exchange,
    close_dirty_client_async,
    get_dirty_client_async,
)
from dirty_arbiter.testing import ArbiterProcess

APP = "fixture:App"
LONG = 600


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.arbiter = ArbiterProcess(APP, threads=3)

    @classmethod
    def tearDownClass(cls):
        assert cls.arbiter.stop() == 0, "the arbiter did not end orderly"

    async def asyncSetUp(self):
        self.client = DirtyClient(self.arbiter.socket)
        self.addAsyncCleanup(self.client.close_async)

    async def echo(self, value):
        return (await self.client.execute_async(APP, "echo", value))["args"][0]

    async def slots_are_free(self):
        calls = [self.client.execute_async(APP, "sleep", 0.05, number) for number in range(3)]
        self.assertEqual(await asyncio.gather(*calls), [0, 1, 2])

    async def test_values_and_sizes(self):
        values = [None, 1.5, "é\ud83d", b"\0\xff", 10**40, {"a": [float("inf")]}]
        self.assertEqual(await self.echo(values), values)
        text = "é" * (16 << 20)
        self.assertTrue(await self.echo(text) == text)

    async def test_many_tasks_share_one_connection(self):
        async def work(number):
            self.assertEqual(await self.echo(number), number)
            items = [item async for item in self.client.stream_async(APP, "count", number % 7)]
            self.assertEqual(items, list(range(number % 7)))

        await asyncio.gather(*(work(number) for number in range(200)))
        self.assertEqual(len(self.client._shared.loops), 1)

    async def test_a_quick_call_overtakes_a_slow_one(self):
        slow = asyncio.ensure_future(self.client.execute_async(APP, "sleep", 0.5, "slow"))
        for number in range(20):
            await self.echo(number)
        self.assertFalse(slow.done())
        self.assertEqual(await slow, "slow")

    async def test_errors_and_the_other_form(self):
        with self.assertRaisesRegex(DirtyAppError, "no luck"):
            await self.client.execute_async(APP, "fail", "no luck")
        with self.assertRaises(DirtyProtocolError):
            await self.client.execute_async(APP, "echo", {1, 2})
        with self.assertRaises(DirtyProtocolError):
            self.client.stream_async(APP, "")
        with self.assertRaises(DirtyError) as raised:
            await self.client.execute_async(APP, "count", 3)
        self.assertIs(type(raised.exception), DirtyError)
        self.assertEqual([item async for item in self.client.stream_async(APP, "echo", 1)], [{"args": [1], "kwargs": {}}])
        seen = []
        with self.assertRaisesRegex(DirtyAppError, "boom"):
            async for item in self.client.stream_async(APP, "count_then_fail", 3):
                seen.append(item)
        self.assertEqual(seen, [0, 1, 2])
        await self.slots_are_free()

    async def test_a_task_that_is_cancelled_cancels_its_call(self):
        for _ in range(4):
            task = asyncio.ensure_future(self.client.execute_async(APP, "sleep", LONG, "x"))
            await asyncio.sleep(0.05)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
        await self.slots_are_free()

    async def test_leaving_a_stream_cancels_it(self):
        for way in ("break", "with", "aclose", "collector", "cancel"):
            for _ in range(4):
                stream = self.client.stream_async(APP, "slow_count", LONG, 0.01 if way == "break" else LONG)
                self.assertEqual(await stream.__anext__(), 0)
                if way == "break":
                    async for item in stream:
                        if item == 2:
                            break
                elif way == "with":
                    async with stream:
                        pass
                elif way == "aclose":
                    await stream.aclose()
                    self.assertEqual([item async for item in stream], [])
                elif way == "cancel":
                    task = asyncio.ensure_future(stream.__anext__())
                    await asyncio.sleep(0.01)
                    task.cancel()
                    with self.assertRaises(asyncio.CancelledError):
                        await task
                del stream
                gc.collect()
            await self.slots_are_free()

    async def test_limits(self):
        client = self.client.with_options(timeout=0.1)
        for _ in range(4):
            with self.assertRaises(DirtyTimeoutError):
                await client.execute_async(APP, "sleep", LONG, "x")
        client = self.client.with_options(timeout=0.4)
        self.assertEqual([item async for item in client.stream_async(APP, "slow_count", 6, 0.1)], list(range(6)))
        with self.assertRaises(DirtyTimeoutError):
            async for _ in client.stream_async(APP, "slow_count", 3, LONG):
                pass
        await self.slots_are_free()

    async def test_a_slow_reader_loses_nothing_and_stops_the_reading(self):
        with mock.patch("dirty_arbiter._aio.STREAM_BUFFER", 10_000):
            stream = self.client.stream_async(APP, "count", 20_000)
            self.assertEqual(await stream.__anext__(), 0)
            connection = stream._connection
            for _ in range(500):
                await asyncio.sleep(0.01)
                if connection._paused:
                    break
            self.assertTrue(connection._paused)
            held = stream._inbox.held
            await asyncio.sleep(0.05)
            self.assertEqual(stream._inbox.held, held)
            # Another caller gets its answer all the same.
            self.assertEqual(await self.echo("x"), "x")
            self.assertEqual([item async for item in stream], list(range(1, 20_000)))

    async def test_a_reader_that_falls_too_far_behind_is_told(self):
        original = _exchange.Exchange.__init__

        def small(exchange, path, limits, stream_limit=0):
            original(exchange, path, limits, 50_000)

        with mock.patch.object(_exchange.Exchange, "__init__", small):
            stream = self.client.stream_async(APP, "count", 10**9)
            await stream.__anext__()
            with self.assertRaisesRegex(DirtyError, "read it faster"):
                async for _ in stream:
                    await self.echo("x" * 1000)
        await self.slots_are_free()

    async def test_every_loop_has_a_connection_of_its_own(self):
        await self.echo(1)
        failures = []

        def other_loop():
            async def work():
                self.assertEqual(await self.echo(2), 2)
                await self.client.close_async()

            try:
                asyncio.run(work())
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=other_loop) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.get_running_loop().run_in_executor(None, thread.join)
        self.assertEqual(failures, [])
        self.assertEqual(await self.echo(3), 3)

    async def test_closing_fails_the_calls_in_flight(self):
        task = asyncio.ensure_future(self.client.execute_async(APP, "sleep", 2, "x"))
        await asyncio.sleep(0.1)
        await self.client.close_async()
        with self.assertRaisesRegex(DirtyConnectionError, "the client was closed"):
            await task
        self.assertEqual(await self.echo(1), 1)

    async def test_a_forked_child_lets_go_of_the_connection_and_makes_its_own(self):
        await self.client.execute_async(APP, "echo", 1)
        loop = asyncio.get_running_loop()
        mine = self.client._shared.loops[loop].connection._transport.get_extra_info("socket").fileno()
        child = os.fork()
        if child == 0:
            try:
                # Held open here, the arbiter would not see when the parent closes it.
                held = stat.S_ISSOCK(os.fstat(mine).st_mode)
                answer = asyncio.run(self.client.execute_async(APP, "echo", 2))
                os._exit(0 if not held and answer["args"] == [2] else 1 + held)
            finally:
                os._exit(9)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        self.assertEqual((await self.client.execute_async(APP, "echo", 3))["args"], [3])

    async def test_the_client_of_the_process(self):
        with mock.patch.dict(os.environ, {"DIRTY_SOCKET": self.arbiter.socket}):
            client = await get_dirty_client_async()
            self.assertIs(await get_dirty_client_async(), client)
            self.assertEqual((await client.execute_async(APP, "echo"))["args"], [])
            await close_dirty_client_async()

    async def test_nobody_there(self):
        with self.assertRaisesRegex(DirtyConnectionError, "no socket at"):
            await DirtyClient("/nowhere/d.sock").execute_async(APP, "echo")

    async def test_a_backlog_that_is_full_is_waited_for(self):
        import socket
        import tempfile

        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            path = f"{folder}/d.sock"
            listener.bind(path)
            listener.listen(0)
            with socket.socket(socket.AF_UNIX) as first:
                first.connect(path)
                start = time.monotonic()
                with self.assertRaises(DirtyTimeoutError):
                    await DirtyClient(path, timeout=0.3).execute_async(APP, "echo")
                self.assertGreater(time.monotonic() - start, 0.25)


if __name__ == "__main__":
    unittest.main()
