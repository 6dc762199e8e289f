"""A hooks file through an arbiter: `dirty serve --hooks FILE` (LIFE-19)."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from dirty_arbiter import DirtyConnectionError
from dirty_arbiter.testing import ArbiterProcess, dirty_binary

HERE = Path(__file__).resolve().parent
PATIENCE = 30

# Writes a line for each hook; what the file itself says is in the line.
HOOKS = """
import os

says = {says!r}

def note(hook, *more):
    with open(os.environ["DIARY"], "a") as file:
        print(hook, says, *more, file=file, flush=True)

def on_dirty_starting(arbiter):
    note("starting", arbiter.pid, arbiter.socket)

def dirty_post_fork(arbiter, worker):
    note("post_fork", arbiter.pid, worker.pid, worker.app_paths)

def dirty_worker_init(worker):
    note("worker_init", worker.pid, sorted(worker.apps))

def dirty_worker_exit(arbiter, worker):
    note("exit", arbiter.pid, worker.pid, worker.exit_code, worker.signal)
"""


class HooksFile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # A space and a quote: no shell may see them.
        self.file = self.folder / "it's a hooks file.py"
        self.diary = self.folder / "diary"
        self.write("first")

    def write(self, says):
        self.file.write_text(HOOKS.format(says=says))

    def serve(self, *arguments, app="fixture:App", **more):
        environment = {"DIARY": str(self.diary), **more}
        arbiter = ArbiterProcess(app, python_path=[HERE / "apps"], arguments=arguments, environment=environment)
        self.addCleanup(arbiter.stop)
        return arbiter

    def lines(self):
        return self.diary.read_text().splitlines() if self.diary.exists() else []

    def awaits(self, what, count=1):
        """Waits until so many lines begin with this, and gives all lines."""
        end = time.monotonic() + PATIENCE
        while True:
            lines = self.lines()
            if sum(line.startswith(what) for line in lines) >= count:
                return lines
            self.assertLess(time.monotonic(), end, f"{what}: {lines}")
            time.sleep(0.01)

    def refused(self, *arguments, code, says, **more):
        """Starts an arbiter that must not come up."""
        python = [] if "--python" in arguments else ["--python", sys.executable]
        command = [dirty_binary(), "serve", "--socket", str(self.folder / "d.sock"), *python]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "DIARY": str(self.diary), **more}
        ended = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, timeout=PATIENCE)
        # What an arbiter that does not start has to say is its last line, and needs no other.
        last = ended.stderr.splitlines()[-1]
        self.assertEqual((ended.returncode, says in last), (code, True), ended.stderr)
        self.assertTrue(code != 1 or "hook on_dirty_starting failed: " in last, last)
        self.assertEqual(list(self.folder.glob("d.sock*")), [])

    def test_each_hook_runs_once_at_its_point_and_knows_whom_it_is_about(self):
        arbiter = self.serve("--hooks", str(self.file))
        pid = arbiter.client.execute("fixture:App", "whoami")["pid"]
        mine = arbiter.process.pid
        self.assertEqual(arbiter.stop(), 0)
        expected = [
            f"starting first {mine} {arbiter.socket}",
            f"post_fork first {mine} {pid} ['fixture:App']",
            f"worker_init first {pid} ['fixture:App']",
            f"exit first {mine} {pid} 0 None",
        ]
        self.assertEqual(self.lines(), expected)

    def test_the_exit_of_a_worker_that_is_killed_is_told_and_its_replacement_has_its_own(self):
        arbiter = self.serve(DIRTY_HOOKS_FILE=str(self.file))
        pid = arbiter.client.execute("fixture:App", "whoami")["pid"]
        os.kill(pid, signal.SIGKILL)
        lines = self.awaits("worker_init", 2)
        self.assertIn(f"exit first {arbiter.process.pid} {pid} None 9", self.awaits("exit"), lines)

    def test_commands_and_functions_run_both(self):
        settings = self.folder / "dirty.toml"
        settings.write_text(
            f'dirty_hooks_file = """{self.file}"""\n[dirty_hooks]\n'
            + "".join(
                f"{hook} = 'read -r _; echo command {hook} >> \"$DIARY\"'\n"
                for hook in ("on_dirty_starting", "dirty_post_fork", "dirty_worker_init", "dirty_worker_exit")
            )
        )
        arbiter = self.serve("--config", str(settings))
        arbiter.client.execute("fixture:App", "whoami")
        self.assertEqual(arbiter.stop(), 0)
        expected = [
            "command on_dirty_starting",
            "starting",
            "command dirty_post_fork",
            "post_fork",
            "worker_init",
            "command dirty_worker_init",
            "command dirty_worker_exit",
            "exit",
        ]
        self.assertEqual([line.partition(" first")[0] for line in self.lines()], expected)

    def test_a_reload_takes_up_what_the_file_says_now(self):
        arbiter = self.serve("--hooks", str(self.file))
        self.awaits("worker_init first")
        self.write("second")
        arbiter.process.send_signal(signal.SIGHUP)
        self.awaits("worker_init second")
        lines = self.awaits("exit second")
        self.assertEqual(sum(line.startswith("starting") for line in lines), 1)

    def test_a_reload_with_a_file_that_cannot_be_used_changes_nothing(self):
        arbiter = self.serve("--hooks", str(self.file), "--boot-timeout", "20")
        pid = arbiter.client.execute("fixture:App", "whoami")["pid"]
        self.file.write_text("def (")
        reload = [dirty_binary(), "reload", "--wait", "--socket", arbiter.socket]
        ended = subprocess.run(reload, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(ended.returncode, 1, ended.stdout)
        self.assertIn("failed to read the hooks file", arbiter.log())
        self.file.unlink()
        ended = subprocess.run(reload, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(ended.returncode, 1, ended.stdout)
        self.assertIn("No such file", ended.stderr)
        self.assertEqual(arbiter.client.execute("fixture:App", "whoami")["pid"], pid)

    def test_a_file_that_is_not_there_is_an_error_of_the_configuration(self):
        missing = str(self.folder / "none.py")
        self.refused("--hooks", missing, code=78, says=f'--hooks: dirty_hooks_file: failed to open "{missing}"')
        self.refused(code=78, says="DIRTY_HOOKS_FILE: dirty_hooks_file: expected a file", DIRTY_HOOKS_FILE=str(self.folder))

    def test_a_file_that_python_refuses_and_a_hook_that_raises_keep_the_arbiter_from_starting(self):
        for text, says in [
            ("x = 1\ndef (", "line 2"),
            ("1 / 0", "ZeroDivisionError: division by zero"),
            ("on_dirty_starting = 'me'", "on_dirty_starting is not callable"),
            ("def on_dirty_starting(arbiter): raise OSError('no volume')", "OSError: no volume"),
            ("import sys\ndef on_dirty_starting(arbiter): sys.exit(0)", "SystemExit: 0"),
            ("def on_dirty_starting(): pass", "TypeError"),
        ]:
            self.file.write_text(text)
            self.refused("--hooks", str(self.file), code=1, says=says)
        self.refused("--hooks", str(self.file), "--python", "/no/python", code=1, says="/no/python cannot be run")

    def test_a_workers_hook_that_raises_is_a_boot_failure_that_says_why(self):
        for says in ("hook dirty_post_fork", "hook dirty_worker_init"):
            name = says.partition(" ")[2]
            self.file.write_text(f"def {name}(*_): raise OSError('no volume')")
            arbiter = self.serve("--hooks", str(self.file))
            end = time.monotonic() + PATIENCE
            while f"{says} of {self.file} failed: OSError: no volume" not in arbiter.log():
                self.assertLess(time.monotonic(), end, arbiter.log())
                time.sleep(0.01)
            arbiter.stop()

    def test_an_arbiter_inside_of_a_worker_leaves_the_workers_file_alone(self):
        arbiter = self.serve(DIRTY_HOOKS_FILE=str(self.file), DIRTY_WORKER_SOCKET="/of/the/worker/around")
        arbiter.client.execute("fixture:App", "whoami")
        self.assertEqual(arbiter.stop(), 0)
        self.assertEqual(self.lines(), [])

    def test_the_fixture_starts_no_arbiter_without_its_file(self):
        with self.assertRaisesRegex(DirtyConnectionError, "exit code 78"):
            self.serve("--hooks", "/nowhere/hooks.py")


if __name__ == "__main__":
    unittest.main()
