"""gunicorn's own dirty worker as a worker of our arbiter: `dirty serve --worker-command "python gunicorn_worker.py"`.

The class is gunicorn's, untouched; this only translates the environment of a worker into its arguments, says when it is
ready, and ends with the arbiter."""

import json
import os
import socket
import threading

import gunicorn
from gunicorn.config import Config
from gunicorn.dirty.worker import DirtyWorker
from gunicorn.glogging import Logger


class Worker(DirtyWorker):
    """Tells the arbiter each time that it is alive; the first time, that is once it listens, that it is ready."""

    # From 25.1 on it speaks the binary codec, and nothing else.
    _state = "X_DIRTY_CODEC=gd/1\nREADY=1\n" if gunicorn.version_info >= (25, 1) else "READY=1\n"

    def notify(self):
        super().notify()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as arbiter:
            arbiter.sendto(f"{self._state}WATCHDOG=1\n".encode(), os.environ["NOTIFY_SOCKET"])
        self._state = ""


def end_with_standard_input():
    while os.read(0, 1024):
        pass
    os._exit(0)


def main():
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    settings = Config()
    settings.set("dirty_threads", int(os.environ["DIRTY_THREADS"]))
    Worker(
        age=int(os.environ["DIRTY_WORKER_ID"]),
        ppid=os.getppid(),
        app_paths=json.loads(os.environ["DIRTY_APPS"]),
        cfg=settings,
        log=Logger(settings),
        socket_path=os.environ["DIRTY_WORKER_SOCKET"],
    ).init_process()


main()
