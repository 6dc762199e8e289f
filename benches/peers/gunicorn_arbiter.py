"""gunicorn's own dirty arbiter, untouched, in front of the benchmark's worker: `gunicorn_arbiter.py SOCKET WORKERS WORKER...`.

Its hook `dirty_worker_init` runs in the new process of a worker before that listens; the process then becomes WORKER. Prints
the arbiter's process id once calls are answered: gunicorn's arbiter takes calls before it has a worker, and fails them."""

import os
import sys
import time

from gunicorn.config import Config
from gunicorn.dirty.app import DirtyApp
from gunicorn.dirty.arbiter import DirtyArbiter
from gunicorn.dirty.client import DirtyClient
from gunicorn.dirty.errors import DirtyError
from gunicorn.glogging import Logger

# So many calls in a row are answered when all workers listen.
ANSWERS = 20


class App(DirtyApp):
    """What gunicorn loads before the process becomes another program."""


def wait_until_ready(path):
    answered = 0
    while answered < ANSWERS:
        try:
            with DirtyClient(path, timeout=5) as client:
                client.execute("bench:App", "echo", "text")
            answered += 1
        except (DirtyError, OSError):
            answered = 0
            time.sleep(0.02)


def main():
    path, workers, *command = sys.argv[1:]

    def become_worker(worker):
        os.environ["DIRTY_WORKER_SOCKET"] = worker.socket_path
        os.execv(command[0], command)

    sys.modules["bench"] = sys.modules["__main__"]
    settings = Config()
    settings.set("dirty_apps", ["bench:App"])
    settings.set("dirty_workers", int(workers))
    settings.set("dirty_timeout", 3600)
    settings.set("dirty_worker_init", become_worker)
    settings.set("loglevel", "critical")
    arbiter = DirtyArbiter(settings, Logger(settings), socket_path=path)
    # It ends when its parent is another than who made it.
    process = os.fork()
    if process == 0:
        arbiter.run()
        os._exit(0)
    wait_until_ready(path)
    print(process, flush=True)
    os.waitpid(process, 0)


main()
