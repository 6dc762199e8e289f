"""A worker as a process: how it starts, how it does not, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from .workers import HERE, WorkerProcess, boots

LAB = "lab:Lab"


class Diary:
    """A file that apps write what happens to them into."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "diary"

    def lines(self):
        return self.path.read_text().splitlines() if self.path.exists() else []

    def wait_for(self, line):
        deadline = time.monotonic() + 20
        while line not in self.lines():
            assert time.monotonic() < deadline, f"never: {line}"
            time.sleep(0.005)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._folder.cleanup()


class Boot(unittest.TestCase):
    def refused(self, *apps, says, **variables):
        code, err = boots(*apps, **variables)
        self.assertEqual(code, 3, err)
        last = err.strip().splitlines()[-1]
        self.assertIn("dirty worker: failed to start: ", last)
        self.assertIn(says, last)
        return err

    def test_an_app_that_cannot_be_found_is_named(self):
        self.refused("nothing.here:App", says="app \"nothing.here:App\": there is no module 'nothing'")
        self.refused("lab:Nothing", says="module 'lab' has no 'Nothing'")
        self.refused("lab:Outer.Nothing", says="has no 'Outer.Nothing'")
        self.refused("lab:NOT_A_CLASS", says="'NOT_A_CLASS' is a int, expected a class")
        self.refused("lab", says='expected "module:Class"')
        self.refused("lab:", says='expected "module:Class"')

    def test_an_import_that_fails_shows_where(self):
        err = self.refused("broken_import:App", says="No module named 'a_module_that_is_not_there'")
        self.assertIn('broken_import.py", line 1', err)
        self.refused("broken_syntax:App", says="SyntaxError")

    def test_an_app_that_cannot_be_made_or_initialised_is_named(self):
        with Diary() as diary:
            where = {"DIARY": str(diary.path)}
            self.refused("lab:Unmade", says="making it failed: OSError: no memory", **where)
            err = self.refused("lab:Witness", "lab:Failing", "lab:Second", says="no model file", **where)
            self.assertIn("in init", err)
            made = ["make Witness", "make Failing", "make Second", "init Witness", "close Witness"]
            self.assertEqual(diary.lines(), made)
            self.refused("lab:Exiting", says='app "lab:Exiting": init() failed: SystemExit: 0', **where)
            self.refused("lab:Coroutines", says="init() is a coroutine")

    def test_an_environment_that_makes_no_sense_is_named(self):
        for name, value in [
            ("DIRTY_WORKER_SOCKET", None),
            ("DIRTY_WORKER_SOCKET", ""),
            ("DIRTY_APPS", None),
            ("DIRTY_APPS", "[]"),
            ("DIRTY_APPS", "[1]"),
            ("DIRTY_APPS", "a:B"),
            ("DIRTY_THREADS", "0"),
            ("DIRTY_THREADS", "-1"),
            ("DIRTY_TIMEOUT", "NaN"),
            ("DIRTY_MAX_FRAME", "0"),
            ("DIRTY_MAX_DEPTH", ""),
            ("DIRTY_SEAT", "-1"),
            ("DIRTY_FIXED_APPS", "{}"),
            ("DIRTY_TRACEBACKS", "maybe"),
            ("DIRTY_LOG_LEVEL", "LOUD"),
            ("WATCHDOG_USEC", "0"),
        ]:
            with self.subTest(name=name, value=value):
                self.refused(says=name, **{name: value})

    def test_a_socket_that_cannot_be_listened_on_is_named(self):
        self.refused(says="failed to listen on /nowhere/w.sock", DIRTY_WORKER_SOCKET="/nowhere/w.sock")

    def test_the_socket_is_there_when_it_is_ready_and_not_before(self):
        with Diary() as diary, WorkerProcess("lab:Slow", DIARY=str(diary.path)) as worker:
            diary.wait_for("init Slow")
            self.assertFalse(worker.socket.exists())
        with WorkerProcess() as worker:
            worker.ready().close()
            self.assertEqual(worker.socket.stat().st_mode & 0o777, 0o600)

    def test_apps_are_made_then_initialised_then_closed_in_order(self):
        with Diary() as diary:
            with WorkerProcess("lab:Witness", "lab:BadClose", "lab:Second", DIARY=str(diary.path)) as worker:
                worker.ready()
                code, _, err = worker.end(signal.SIGTERM)
            self.assertEqual(code, 0, err)
            names = ["Witness", "BadClose", "Second"]
            self.assertEqual(diary.lines(), [f"{what} {name}" for what in ("make", "init", "close") for name in names])
            self.assertIn("close() of app lab:BadClose failed", err)

    def test_it_says_which_app_it_turns_to(self):
        with Diary() as diary, WorkerProcess(LAB, "lab:Second", DIARY=str(diary.path)) as worker:
            said = []
            while "READY=1" not in said:
                lines = worker.notify.recv(4096).decode().splitlines()
                said += [line for line in lines if line != "WATCHDOG=1"]
        steps = [f"X_DIRTY_LOADING={app}" for app in (LAB, "lab:Second", LAB, "lab:Second", "")]
        self.assertEqual(said, [*steps, "READY=1"])

    def test_an_app_for_few_workers_is_left_to_the_first(self):
        with Diary() as diary:
            where = {"DIARY": str(diary.path), "DIRTY_FIXED_APPS": '["lab:Lab"]'}
            with WorkerProcess(LAB, "lab:Few", DIRTY_SEAT="1", **where) as worker:
                self.assertEqual(worker.notified("READY=1"), ["READY=1"])
            with WorkerProcess(LAB, "lab:Few", DIRTY_SEAT="2", **where) as worker:
                lines = worker.notified("READY=1")
                self.assertEqual(lines, ['X_DIRTY_APPS=["lab:Lab"]', "READY=1"])
                peer = worker.connect()
                self.assertEqual(peer.error("lab:Few", "x")["error_type"], "DirtyAppNotFoundError")
            with WorkerProcess("lab:Few", DIARY=str(diary.path)) as worker:
                # An arbiter that does not count seats: this is the first.
                self.assertEqual(worker.notified("READY=1"), ["READY=1"])
            with WorkerProcess("lab:Few", DIARY=str(diary.path), DIRTY_SEAT="9") as worker:
                self.assertEqual(worker.notified("READY=1"), ["X_DIRTY_APPS=[]", "READY=1"])
            with WorkerProcess("lab:Few", DIRTY_SEAT="9", DIRTY_FIXED_APPS='["lab:Few"]', DIARY=str(diary.path)) as worker:
                self.assertEqual(worker.notified("READY=1"), ["READY=1"])
        self.refused("lab:Wrong", says="the attribute workers is 0", DIRTY_FIXED_APPS="[]")

    def test_modules_of_the_working_directory_are_found(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "here.py").write_text("class App:\n    def hi(self): return 'hi'\n")
            with WorkerProcess("here:App", folder=folder) as worker:
                self.assertEqual(worker.ready().result("here:App", "hi"), "hi")

    def test_hooks_run_at_their_points(self):
        with Diary() as diary:
            file = str(HERE / "apps/hooks_file.py")
            with WorkerProcess("lab:Witness", arguments=["--hooks", file], DIARY=str(diary.path)) as worker:
                worker.ready()
                _, _, err = worker.end(signal.SIGTERM)
            expected = [
                "post_fork True 7 ['lab:Witness'] vanilla 1",
                "make Witness",
                "init Witness",
                f"worker_init {worker.process.pid} ['lab:Witness']",
                "close Witness",
            ]
            self.assertEqual(diary.lines(), expected)
            self.assertIn("dirty_arbiter.hooks: initialised", err)
            with WorkerProcess("lab:Witness", DIRTY_HOOKS_FILE=file, DIARY=str(diary.path)) as worker:
                worker.ready()
            self.assertEqual(len(diary.lines()), 9)

    def test_hooks_that_fail_are_boot_failures(self):
        with tempfile.TemporaryDirectory() as folder:
            for text, says in [
                ("def dirty_post_fork(arbiter, worker): raise ValueError('no')", "hook dirty_post_fork"),
                ("def dirty_worker_init(worker): raise ValueError('no')", "hook dirty_worker_init"),
                ("dirty_worker_init = 1", "dirty_worker_init is not callable"),
                ("1 / 0", "ZeroDivisionError"),
                ("def (", "failed to read the hooks file"),
            ]:
                file = Path(folder) / "hooks.py"
                file.write_text(text)
                self.refused(says=says, DIRTY_HOOKS_FILE=str(file))
        self.refused(says="failed to read the hooks file", DIRTY_HOOKS_FILE="/nowhere")


class ArbiterHooks(unittest.TestCase):
    def run_hook(self, name, context, diary):
        environment = {**os.environ, "DIARY": str(diary.path)}
        environment["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), str(HERE / "apps")])
        command = [sys.executable, "-m", "dirty_arbiter.hooks", str(HERE / "apps/hooks_file.py"), name]
        return subprocess.run(command, input=context, env=environment, text=True, capture_output=True, timeout=60)

    def test_hooks_of_the_arbiter_run_by_themselves(self):
        with Diary() as diary:
            arbiter = {"pid": 12, "socket": "/run/d.sock", "version": "1.2.3"}
            context = json.dumps({"hook": "on_dirty_starting", "arbiter": arbiter})
            self.assertEqual(self.run_hook("on_dirty_starting", context, diary).returncode, 0)
            worker = {"id": 3, "pid": 34, "apps": ["a:B"], "seat": 1, "exit": {"exit_code": 7}}
            context = json.dumps({"hook": "dirty_worker_exit", "arbiter": arbiter, "worker": worker})
            self.assertEqual(self.run_hook("dirty_worker_exit", context, diary).returncode, 0)
            self.assertEqual(diary.lines(), ["starting 12 /run/d.sock 2", "exit 12 34 3 ['a:B'] 7 None"])

    def test_what_is_wrong_is_said(self):
        with Diary() as diary:
            ended = self.run_hook("on_tuesdays", "{}", diary)
            self.assertEqual((ended.returncode, diary.lines()), (1, []))
            self.assertIn("unknown hook 'on_tuesdays'", ended.stderr)
            ended = self.run_hook("on_dirty_starting", '{"hook": "dirty_worker_exit"}', diary)
            self.assertIn("the context is that of dirty_worker_exit", ended.stderr)
            ended = self.run_hook("on_dirty_starting", "[]", diary)
            self.assertIn("not a JSON object", ended.stderr)
            ended = self.run_hook("on_dirty_starting", "{", diary)
            self.assertEqual(ended.returncode, 1)


class End(unittest.TestCase):
    def test_sigterm_finishes_what_runs(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with WorkerProcess(LAB) as worker:
                peer = worker.ready()
                peer.request("r", LAB, "sleep", 0.3)
                time.sleep(0.05)
                worker.process.send_signal(number)
                worker.notified("STOPPING=1")
                self.assertEqual(peer.receive()["result"], "slot-1")
                self.assertIsNone(peer.receive())
                code, _, err = worker.end()
                self.assertEqual(code, 0, err)
                self.assertFalse(worker.socket.exists())

    def test_sigterm_while_an_app_initialises_ends_at_once(self):
        with Diary() as diary, WorkerProcess("lab:Witness", "lab:Slow", DIARY=str(diary.path)) as worker:
            diary.wait_for("init Slow")
            code, _, err = worker.end(signal.SIGTERM)
            self.assertEqual(code, 0, err)
            self.assertEqual(diary.lines()[-2:], ["init Slow", "close Witness"])

    def test_sigquit_kills_also_while_python_code_runs(self):
        for action in ("sleep", "busy"):
            with WorkerProcess(LAB) as worker:
                worker.ready().request("r", LAB, action, 600)
                time.sleep(0.05)
                self.assertEqual(worker.end(signal.SIGQUIT)[0], -signal.SIGQUIT)

    def test_sigabrt_shows_the_stacks_of_all_threads(self):
        for action in ("sleep", "busy"):
            with WorkerProcess(LAB) as worker:
                worker.ready().request("r", LAB, action, 600)
                time.sleep(0.1)
                code, _, err = worker.end(signal.SIGABRT)
                self.assertEqual(code, -signal.SIGABRT)
                self.assertIn(f"in {action}", err)
                self.assertIn("Fatal Python error: Aborted", err)
                self.assertGreater(err.count("Thread 0x"), 2)

    def test_the_end_of_standard_input_is_the_end(self):
        with WorkerProcess(LAB) as worker:
            worker.ready().request("r", LAB, "sleep", 600)
            worker.process.stdin.close()
            code, _, err = worker.end()
            self.assertEqual(code, 0)
            self.assertIn("the arbiter is gone", err)

    def test_apps_do_not_read_the_lifeline(self):
        with WorkerProcess(LAB) as worker:
            worker.process.stdin.write(b"not for you\n")
            worker.process.stdin.flush()
            self.assertEqual(worker.ready().result(LAB, "read_input"), "")

    def test_threads_that_an_app_leaves_do_not_keep_the_worker(self):
        with WorkerProcess(LAB) as worker:
            worker.ready().result(LAB, "leave_thread")
            code, _, err = worker.end(signal.SIGTERM)
            self.assertEqual(code, 0, err)
            self.assertIn("threads that apps left running: left-behind", err)

    def test_it_shows_that_it_is_alive_while_app_code_runs(self):
        with WorkerProcess(LAB, WATCHDOG_USEC="300000") as worker:
            worker.ready().request("r", LAB, "busy", 600)
            for _ in range(5):
                worker.notified("WATCHDOG=1")

    def test_what_an_app_prints_goes_out_at_once(self):
        with WorkerProcess(LAB) as worker:
            worker.ready().result(LAB, "say", "garbage \u00e9")
            self.assertEqual(worker.process.stdout.readline().decode(), "garbage \u00e9\n")

    def test_its_short_name_says_what_it_is(self):
        with WorkerProcess(LAB) as worker:
            worker.ready()
            self.assertEqual(Path(f"/proc/{worker.process.pid}/comm").read_text(), "dirty-worker\n")

    def test_tracebacks_can_be_kept_home(self):
        with WorkerProcess(LAB, DIRTY_TRACEBACKS="0") as worker:
            error = worker.ready().error(LAB, "fail", "SystemExit")
            self.assertEqual(error["details"], {"app_path": LAB, "action": "fail"})

    def test_the_log_knows_the_levels_of_the_arbiter(self):
        for level, shown in [("trace", True), ("Debug", True), ("info", True), ("warn", False), ("off", False)]:
            with WorkerProcess(LAB, DIRTY_LOG_LEVEL=level) as worker:
                worker.ready()
                _, _, err = worker.end(signal.SIGTERM)
                self.assertEqual("initialised app" in err, shown, level)

    def test_the_log_holds_no_values(self):
        with WorkerProcess(LAB) as worker:
            worker.ready().error(LAB, "fail", "TimeoutError", "secret-text")
            _, _, err = worker.end(signal.SIGTERM)
            self.assertIn("a call failed: app=lab:Lab action=fail", err)
            self.assertNotIn("secret-text", err)


if __name__ == "__main__":
    unittest.main()
