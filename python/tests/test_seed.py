"""Apps and calls as the documentation of gunicorn's dirty arbiters shows them: under our arbiter, in our host, with our
client; and the same app modules with gunicorn's own base class."""

import asyncio
import os
import re
import shutil
import tempfile
import time
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from dirty_arbiter.testing import ArbiterProcess

APPS = Path(__file__).resolve().parent / "apps"
ML, LLM = "myapp.ml:MLApp", "myapp.llm:LLMApp"

HOOKS = '''
dirty_apps = ["myapp.ml:MLApp"]
dirty_workers = 2

def on_dirty_starting(arbiter):
    """Called just before the dirty arbiter starts."""
    print("Dirty arbiter starting...")

def dirty_post_fork(arbiter, worker):
    """Called just after a dirty worker is forked."""
    print(f"Dirty worker {worker.pid} forked")

def dirty_worker_init(worker):
    """Called after a dirty worker initializes all apps."""
    print(f"Dirty worker {worker.pid} initialized")

def dirty_worker_exit(arbiter, worker):
    """Called when a dirty worker exits."""
    print(f"Dirty worker {worker.pid} exiting")

on_dirty_starting = on_dirty_starting
dirty_post_fork = dirty_post_fork
dirty_worker_init = dirty_worker_init
dirty_worker_exit = dirty_worker_exit
'''


class Seed(unittest.TestCase):
    base = "dirty_arbiter"

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        package = Path(folder.name) / "myapp"
        shutil.copytree(APPS / "myapp", package, ignore=shutil.ignore_patterns("__pycache__"))
        for module in package.glob("*.py"):
            text = module.read_text().replace("from dirty_arbiter import", f"from {cls.base} import")
            module.write_text(text)
        hooks = Path(folder.name) / "gunicorn.conf.py"
        hooks.write_text(HOOKS)
        arguments = ["--timeout", "300", "--hooks", str(hooks)]
        python_path = [folder.name, APPS / "stand_ins"]
        cls.arbiter = ArbiterProcess(ML, LLM, workers=2, python_path=python_path, arguments=arguments)
        cls.addClassCleanup(cls.arbiter.stop)
        variables = mock.patch.dict(os.environ, {"DIRTY_SOCKET": cls.arbiter.socket})
        variables.start()
        cls.addClassCleanup(variables.stop)

    def test_a_view_of_a_sync_worker(self):
        from dirty_arbiter import get_dirty_client

        def my_view(request):
            client = get_dirty_client()
            client.execute(ML, "load_model", "gpt-4")
            return client.execute(ML, "inference", "default", input_text=request.data)

        self.assertEqual(my_view(SimpleNamespace(data="hello")), {"model": "base-model.pt", "length": 5})

    def test_a_view_of_an_async_worker(self):
        from dirty_arbiter import get_dirty_client_async

        async def my_view(request):
            client = await get_dirty_client_async()
            await client.execute_async(ML, "load_model", "gpt-4")
            return await client.execute_async(ML, "inference", "default", input_text=request.data)

        self.assertEqual(asyncio.run(my_view(SimpleNamespace(data="hello"))), {"model": "base-model.pt", "length": 5})

    def test_the_hooks_of_a_configuration_file(self):
        from dirty_arbiter import get_dirty_client

        # It has booted.
        get_dirty_client().execute(ML, "load_model", "gpt-4")
        pid = re.search(r"Dirty worker (\d+) initialized", self.arbiter.log())[1]
        places = [self.arbiter.log().find(f"Dirty {what}") for what in ("arbiter starting...", f"worker {pid} forked")]
        self.assertTrue(0 <= places[0] < places[1] < self.arbiter.log().find(f"Dirty worker {pid} initialized"))

    def test_the_state_of_an_app_stays_in_its_worker(self):
        from dirty_arbiter import DirtyAppError, get_dirty_client

        client = get_dirty_client()
        for _ in range(8):
            client.execute(ML, "load_model", "kept")
            time.sleep(0.001)
        self.assertEqual(client.execute(ML, "inference", "kept", "abc")["model"], "kept.pt")
        with self.assertRaisesRegex(DirtyAppError, "Model not loaded: none"):
            client.execute(ML, "inference", "none", "abc")
        with self.assertRaisesRegex(DirtyAppError, "missing"):
            client.execute(ML, "load_model", "missing")

    def test_streams_of_both_kinds(self):
        from dirty_arbiter import get_dirty_client, get_dirty_client_async

        def generate_view(request):
            client = get_dirty_client()

            def generate_response():
                yield from client.stream(LLM, "generate", request.prompt)

            return generate_response()

        async def generate_view_async(request):
            client = await get_dirty_client_async()

            async def generate_response():
                async for chunk in client.stream_async(LLM, "generate_async", request.prompt):
                    yield chunk

            return [chunk async for chunk in generate_response()]

        self.assertEqual(list(generate_view(SimpleNamespace(prompt="to be or"))), ["to", "be", "or"])
        self.assertEqual("".join(asyncio.run(generate_view_async(SimpleNamespace(prompt="to be")))), "to be")

    def test_an_error_in_mid_stream(self):
        from dirty_arbiter import DirtyError, get_dirty_client

        def generate_view(prompt):
            client = get_dirty_client()
            try:
                yield from client.stream(LLM, "generate_badly", prompt)
            except DirtyError as e:
                yield f"\n[Error: {e.message}]"

        self.assertEqual(list(generate_view("to be")), ["to be", "\n[Error: out of tokens]"])

    def test_the_exceptions_that_callers_catch(self):
        from dirty_arbiter import (
            DirtyAppError,
            DirtyAppNotFoundError,
            DirtyConnectionError,
            DirtyError,
            DirtyTimeoutError,
            get_dirty_client,
        )

        client = get_dirty_client()

        def outcome(call):
            try:
                return call()
            except DirtyTimeoutError:
                return "timed out"
            except DirtyAppNotFoundError:
                return "not loaded"
            except DirtyAppError as e:
                return f"App error: {e.message}, traceback: {e.traceback}"
            except DirtyConnectionError:
                return "no connection"

        failed = outcome(lambda: client.execute(ML, "inference", "model", "data"))
        self.assertTrue(failed.startswith("App error: Model not loaded: model, traceback: Traceback"), failed)
        self.assertIn('raise ValueError(f"Model not loaded: {model_name}")', failed)
        self.assertEqual(outcome(lambda: client.execute("myapp.other:App", "x")), "not loaded")
        slow = get_dirty_client(timeout=1e-6)
        self.assertEqual(outcome(lambda: slow.execute(ML, "inference", "default", "x")), "timed out")
        self.assertTrue(issubclass(DirtyAppNotFoundError, DirtyError))


class SeedWithGunicornsBaseClass(Seed):
    """The app modules are those that gunicorn 25 hosts, unchanged."""

    base = "gunicorn.dirty"

    def test_the_base_class_is_gunicorns(self):
        import gunicorn.dirty

        self.assertNotEqual(gunicorn.dirty.DirtyApp.__module__.split(".")[0], "dirty_arbiter")

    def test_names_that_collide_with_gunicorns_own_do_not(self):
        # gunicorn's base class takes an argument called action for its own.
        from dirty_arbiter import DirtyAppError, get_dirty_client

        with self.assertRaisesRegex(DirtyAppError, "unexpected keyword argument 'action'"):
            list(get_dirty_client().stream(LLM, "generate", "x", action="y"))


if __name__ == "__main__":
    unittest.main()
