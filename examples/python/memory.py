"""How much memory N web workers take with the model in each of them, and with the model in a dirty worker.

python3 memory.py [N]
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from dirty_arbiter.testing import ArbiterProcess

HERE = Path(__file__).resolve().parent


def children(pid):
    """A process and all that it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += children(int(child))
    return found


def megabytes(pid):
    """What processes occupy, shared pages counted once (PSS)."""
    total = 0
    for process in children(pid):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def web_server(application, workers, socket):
    """gunicorn with sync workers, each of which has answered; its process and its log."""
    with tempfile.TemporaryDirectory() as folder:
        port_file = Path(folder) / "log"
        with open(port_file, "w") as log:
            command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", str(workers), application]
            environment = {**os.environ, "DIRTY_SOCKET": socket, "GUNICORN_CMD_ARGS": ""}
            server = subprocess.Popen(command, cwd=HERE, env=environment, stderr=log)
        deadline = time.monotonic() + 120
        while "Listening at: " not in (text := port_file.read_text()) or text.count("Booting worker") < workers:
            if time.monotonic() > deadline or server.poll() is not None:
                server.kill()
                raise SystemExit(f"gunicorn did not start:\n{text}")
            time.sleep(0.05)
        url = text.split("Listening at: ")[1].split()[0]
    for number in range(workers * 4):
        with urllib.request.urlopen(f"{url}/digit/{number}", timeout=120) as answer:
            assert json.load(answer)["digit"] in range(10)
    return server


def measure(application, workers, socket):
    server = web_server(application, workers, socket)
    try:
        return megabytes(server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def main():
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    before = measure("in_process:app", workers, "")
    apps = ["digits:Digits", "images:Images", "chat:Chat"]
    with ArbiterProcess(*apps, python_path=[HERE]) as arbiter:
        after = measure("flask_app:app", workers, arbiter.socket)
        pool = megabytes(arbiter.process.pid)
    total = f"{after + pool:6.0f} MB (web {after:.0f}, arbiter and worker {pool:.0f})"
    print(f"{workers} web workers with the model in each:  {before:6.0f} MB")
    print(f"{workers} web workers and a dirty arbiter:     {total}")


if __name__ == "__main__":
    main()
