"""Every golden transcript for clients, against the blocking and the asynchronous client."""

import asyncio
import json
import threading
import unittest

from dirty_arbiter import DirtyClient, DirtyError

from .replayer import GOLDEN, Replay, failure, matches, transcripts


class Threads:
    """Drives blocking clients, each call in a thread of its own."""

    def __init__(self):
        self._clients = {}
        self._threads = []

    def start(self, label, path, call, report):
        client = self._clients.setdefault(label, DirtyClient(path))
        thread = threading.Thread(target=self._run, args=(client, call, report), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, client, call, report):
        if "timeout" in call:
            client = client.with_options(timeout=call["timeout"])
        try:
            if call["method"] == "execute":
                report("returns", client.execute(call["app_path"], call["action"], *call["args"], **call["kwargs"]))
                return
            take = call.get("take")
            with client.stream(call["app_path"], call["action"], *call["args"], **call["kwargs"]) as stream:
                for count, item in enumerate(stream, 1):
                    report("yields", item)
                    if count == take:
                        break
            report("returns", None)
        except DirtyError as error:
            report("raises", failure(error))

    def close(self):
        for client in self._clients.values():
            client.close()
        for thread in self._threads:
            thread.join(20)


class Tasks:
    """Drives asynchronous clients, each call in a task."""

    def __init__(self):
        self._clients = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._calls = []

    def start(self, label, path, call, report):
        client = self._clients.setdefault(label, DirtyClient(path))
        self._calls.append(asyncio.run_coroutine_threadsafe(self._run(client, call, report), self._loop))

    async def _run(self, client, call, report):
        if "timeout" in call:
            client = client.with_options(timeout=call["timeout"])
        arguments = (call["app_path"], call["action"], *call["args"])
        try:
            if call["method"] == "execute":
                report("returns", await client.execute_async(*arguments, **call["kwargs"]))
                return
            take, count = call.get("take"), 0
            async with client.stream_async(*arguments, **call["kwargs"]) as stream:
                async for item in stream:
                    count += 1
                    report("yields", item)
                    if count == take:
                        break
            report("returns", None)
        except DirtyError as error:
            report("raises", failure(error))

    def close(self):
        async def close():
            for client in self._clients.values():
                await client.close_async()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(20)
        for call in self._calls:
            call.result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()


class Transcripts(unittest.TestCase):
    def test_the_matcher_matches(self):
        vectors = json.loads((GOLDEN / "matcher.json").read_text(encoding="utf-8"))
        vectors = vectors if isinstance(vectors, list) else vectors["vectors"]
        for vector in vectors:
            with self.subTest(vector["id"]):
                binds = {}
                # bigint-*: Python's parser reads integers of any size.
                self.assertEqual(matches(vector["want"], vector["got"], binds, True), vector["match"])
                if vector["match"] and "binds" in vector:
                    self.assertEqual(binds, vector["binds"])

    def replay(self, driver):
        count = 0
        for transcript in transcripts():
            with self.subTest(transcript["id"]):
                Replay(transcript, driver()).run()
                count += 1
        self.assertGreater(count, 35)

    def test_the_blocking_client_passes_every_transcript(self):
        self.replay(Threads)

    def test_the_asynchronous_client_passes_every_transcript(self):
        self.replay(Tasks)


if __name__ == "__main__":
    unittest.main()
