"""The Python host and client beside gunicorn 25.0.3's own arbiter, worker and client: same app, same machine, in turns.

    pip install gunicorn==25.0.3
    DIRTY_BINARY=target/release/dirty PYTHONPATH=python python3 benches/python/side_by_side.py [ROUNDS]

Every reply is compared with what it has to be. Each round measures one after the other; the table has the medians.
"""

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from gunicorn.dirty import DirtyClient as GunicornClient

from dirty_arbiter import DirtyClient
from dirty_arbiter.testing import ArbiterProcess

APP = "bench_app:App"
SOURCE = """
class App:
    def init(self): pass
    def close(self): pass
    def __call__(self, action, *args, **kwargs): return getattr(self, action)(*args, **kwargs)
    def echo(self, value): return value
    def count(self, n): yield from range(n)
"""
SETTINGS = f"dirty_apps = ['{APP}']\ndirty_workers = 2\ndirty_timeout = 120\n"


class Gunicorn:
    """A gunicorn with a dirty arbiter of its own."""

    def __init__(self, folder):
        (folder / "conf.py").write_text(SETTINGS)
        (folder / "web.py").write_text("def app(environ, start):\n    start('200 OK', [])\n    return [b'']\n")
        self._log = open(folder / "log", "w")
        command = [sys.executable, "-m", "gunicorn", "-c", "conf.py", "--bind", "127.0.0.1:0", "web:app"]
        self._process = subprocess.Popen(command, cwd=folder, stderr=self._log, env={**os.environ, "TMPDIR": str(folder)})
        deadline = time.monotonic() + 60
        while (text := (folder / "log").read_text()).count("Dirty worker") < 2 or "listening on" not in text:
            assert time.monotonic() < deadline, text
            time.sleep(0.05)
        self.socket = re.search(r"Dirty arbiter listening on (\S+)", text).group(1)

    def client(self):
        return GunicornClient(self.socket, timeout=120)

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()
        self._log.close()


class Ours:
    def __init__(self, folder):
        self._arbiter = ArbiterProcess(APP, workers=2, python_path=[folder])
        self._client = DirtyClient(self._arbiter.socket, timeout=120)

    def client(self):
        # One client, one connection, for all threads: that is how it is meant.
        return self._client

    def stop(self):
        self._client.close()
        self._arbiter.stop()


def calls(server, threads, count):
    """Milliseconds that calls took, in `threads` threads that make `count` calls each."""
    times = []

    def work(number):
        client = server.client()
        client.execute(APP, "echo", 0)
        mine = []
        for turn in range(count):
            start = time.perf_counter()
            assert client.execute(APP, "echo", [number, turn]) == [number, turn]
            mine.append((time.perf_counter() - start) * 1000)
        times.extend(mine)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    elapsed = time.perf_counter() - start
    assert len(times) == threads * count
    times.sort()
    return {
        "p50 ms": statistics.median(times),
        "p99 ms": times[int(len(times) * 0.99)],
        "calls/s": len(times) / elapsed,
    }


def chunks(server, count):
    client = server.client()
    start = time.perf_counter()
    assert list(client.stream(APP, "count", count)) == list(range(count))
    return {"chunks/s": count / (time.perf_counter() - start)}


def large(server, mebibytes):
    client, text = server.client(), "x" * (mebibytes << 20)
    start = time.perf_counter()
    assert client.execute(APP, "echo", text) == text
    return {"s": time.perf_counter() - start}


SCENARIOS = [
    ("execute, 1 thread", lambda server: calls(server, 1, 1000)),
    ("execute, 32 threads", lambda server: calls(server, 32, 60)),
    ("stream", lambda server: chunks(server, 10_000)),
    ("echo of 8 MiB", lambda server: large(server, 8)),
    ("echo of 32 MiB", lambda server: large(server, 32)),
]


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        (folder / "bench_app.py").write_text(SOURCE)
        servers = {"gunicorn 25.0.3": Gunicorn(folder), "dirty-arbiter": Ours(folder)}
        results = {}
        try:
            for _ in range(rounds):
                for title, scenario in SCENARIOS:
                    for who, server in servers.items():
                        for unit, value in scenario(server).items():
                            results.setdefault((title, unit), {}).setdefault(who, []).append(value)
        finally:
            for server in servers.values():
                server.stop()
    print(f"{'':24}{'':10}" + "".join(f"{who:>18}" for who in servers))
    for (title, unit), values in results.items():
        print(f"{title:24}{unit:>10}" + "".join(f"{statistics.median(values[who]):18.3f}" for who in servers))


if __name__ == "__main__":
    main()
