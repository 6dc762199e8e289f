"""gunicorn's own dirty arbiter as a subject: `dirty check arbiter -- python gunicorn_arbiter.py`.

The class is gunicorn's, untouched; this only translates the environment of a subject into its settings, and says that it
listens once a call to it has been answered: gunicorn's arbiter takes calls before it has a worker, and fails them."""

import json
import os
import signal
import sys
import threading
import time

from gunicorn.config import Config
from gunicorn.dirty.arbiter import DirtyArbiter
from gunicorn.dirty.client import DirtyClient
from gunicorn.dirty.errors import DirtyError
from gunicorn.glogging import Logger


def announce(path, app_path):
    while True:
        try:
            with DirtyClient(path, timeout=5) as client:
                client.execute(app_path, "echo")
        except (DirtyError, OSError):
            time.sleep(0.01)
        else:
            print(f"listening on {path}", flush=True)
            return


def end_with_standard_input(arbiter):
    # The kit holds the other end: it closes when the kit ends, even if that is killed.
    while os.read(0, 1024):
        pass
    os.kill(arbiter, signal.SIGQUIT)


def main():
    path, apps = os.environ["DIRTY_SOCKET"], json.loads(os.environ["DIRTY_APPS"])
    settings = Config()
    settings.set("dirty_apps", apps)
    settings.set("dirty_workers", int(os.environ["DIRTY_WORKERS"]))
    settings.set("dirty_threads", int(os.environ["DIRTY_THREADS"]))
    settings.set("dirty_timeout", int(float(os.environ["DIRTY_TIMEOUT"])))
    settings.set("dirty_graceful_timeout", 1)
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    arbiter = DirtyArbiter(settings, Logger(settings), socket_path=path)
    # It ends when its parent is another than who made it.
    process = os.fork()
    if process == 0:
        arbiter.run()
        os._exit(0)
    threading.Thread(target=announce, args=(path, apps[0]), daemon=True).start()
    threading.Thread(target=end_with_standard_input, args=(process,), daemon=True).start()
    os.waitpid(process, 0)


main()
