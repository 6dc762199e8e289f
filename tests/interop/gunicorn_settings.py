"""Settings of the gunicorn servers that the tests start, whatever else their command lines say."""

import os
import signal
import threading


def when_ready(server):
    """Tells the test where the server listens, and ends the server when the test is gone."""
    host, port = server.LISTENERS[0].getsockname()[:2]
    print(f"serving HTTP on {host}:{port}", flush=True)
    threading.Thread(target=end_with_standard_input, daemon=True).start()


def end_with_standard_input():
    # The test holds the other end: it closes when the test ends, even if the test is killed.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
