"""Hooks as in gunicorn.conf.py."""

from lab import diary

dirty_workers = 2
flavour = "vanilla"


def on_dirty_starting(arbiter):
    arbiter.log.info("starting")
    diary(f"starting {arbiter.pid} {arbiter.socket} {arbiter.cfg.dirty_workers}")


def dirty_post_fork(arbiter, worker):
    diary(f"post_fork {arbiter.pid > 1} {worker.age} {worker.app_paths} {worker.cfg.flavour} {worker.cfg.dirty_threads}")


def dirty_worker_init(worker):
    worker.log.info("initialised")
    diary(f"worker_init {worker.pid} {sorted(worker.apps)}")


def dirty_worker_exit(arbiter, worker):
    diary(f"exit {arbiter.pid} {worker.pid} {worker.age} {worker.apps} {worker.exit_code} {worker.signal}")
