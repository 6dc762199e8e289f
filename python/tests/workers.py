"""A worker process under test, and the arbiter's ends of everything it has."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from dirty_arbiter._frame import FrameDecoder, Limits

PATIENCE = 20
HERE = Path(__file__).resolve().parent


class Peer:
    """An arbiter that writes and reads frames by hand."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self._frames = FrameDecoder(Limits())

    def send(self, message):
        self.send_text(json.dumps(message))

    def send_text(self, text):
        payload = text.encode()
        self.socket.sendall(len(payload).to_bytes(4, "big") + payload)

    def receive(self):
        """The next message; `None` at the end of the connection."""
        while True:
            payload = self._frames.next()
            if payload is not None:
                return json.loads(payload)
            data = self.socket.recv(65536)
            if not data:
                return None
            self._frames.feed(data)

    def request(self, request_id, app_path, action, *args, **more):
        message = {"type": "request", "id": request_id, "app_path": app_path, "action": action}
        self.send({**message, "args": args, "kwargs": {}, **more})

    def call(self, app_path, action, *args, **more):
        """Calls an action and gives the one message that answers."""
        self.request("call", app_path, action, *args, **more)
        answer = self.receive()
        assert answer["id"] == "call", answer
        return answer

    def result(self, app_path, action, *args, **more):
        answer = self.call(app_path, action, *args, **more)
        assert answer["type"] == "response", answer
        return answer["result"]

    def error(self, app_path, action, *args, **more):
        answer = self.call(app_path, action, *args, **more)
        assert answer["type"] == "error", answer
        return answer["error"]

    def close(self):
        self.socket.close()


class WorkerProcess:
    """`python -m dirty_arbiter.worker`, started as an arbiter does."""

    def __init__(self, *apps, arguments=(), folder=None, python=sys.executable, **variables):
        self._peers = []
        self._directory = tempfile.TemporaryDirectory()
        self.folder = Path(self._directory.name)
        self.socket = self.folder / "w.sock"
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.folder / "notify"))
        self.notify.settimeout(PATIENCE)
        places = [str(HERE.parent), str(HERE / "apps")]
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(places),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DIRTY_WORKER_SOCKET": str(self.socket),
            "DIRTY_APPS": json.dumps(apps or ["fixture:App"]),
            "DIRTY_THREADS": "1",
            "DIRTY_WORKER_ID": "7",
            "DIRTY_TIMEOUT": "300",
            "NOTIFY_SOCKET": str(self.folder / "notify"),
            "WATCHDOG_USEC": "30000000",
        }
        environment.update({name: value for name, value in variables.items() if value is not None})
        for name, value in variables.items():
            if value is None:
                environment.pop(name, None)
        self.process = subprocess.Popen(
            [python, "-m", "dirty_arbiter.worker", *arguments],
            env=environment,
            cwd=folder or self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for peer in self._peers:
            peer.close()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
        self.notify.close()
        self._directory.cleanup()

    def notified(self, line):
        """Waits for a notification with this line, and gives all lines of it."""
        while True:
            lines = self.notify.recv(4096).decode().splitlines()
            if line in lines:
                return lines

    def ready(self):
        """Waits until it is ready, and connects."""
        try:
            self.notified("READY=1")
        except TimeoutError:
            raise AssertionError(f"not ready: {self.end(signal.SIGKILL)}") from None
        return self.connect()

    def connect(self):
        peer = Peer(self.socket)
        self._peers.append(peer)
        return peer

    def end(self, number=None):
        """Sends a signal, waits for the end, and gives the exit code and what it wrote to stdout and stderr."""
        if number is not None:
            self.process.send_signal(number)
        # Standard input stays open: its end would be the lifeline's.
        killer = threading.Timer(PATIENCE, self.process.kill)
        killer.start()
        printed = []
        reader = threading.Thread(target=lambda: printed.append(self.process.stdout.read().decode()))
        reader.start()
        err = self.process.stderr.read().decode()
        reader.join()
        code = self.process.wait()
        killer.cancel()
        return code, printed[0], err


def boots(*apps, **variables):
    """Starts a worker that must not come up, and gives its exit code and what it said."""
    with WorkerProcess(*apps, **variables) as worker:
        code, _, err = worker.end()
        return code, err
