"""A worker in plain Python whose code is a file: what it answers is what the file said when it started.

Usage: versioned.py FILE. The file holds a version, or "broken": then the worker fails to boot. It serves every app that it
is asked for, but "limited:App" only in the first worker of the pool, as a class with `workers = 1` is.

Actions: version(), whoami(), apps(), sleep(seconds) -> version."""

import json
import os
import signal
import socket
import struct
import sys
import threading
import time

with open(sys.argv[1]) as file:
    version = file.read().strip()
if version == "broken":
    print("broken", file=sys.stderr)
    sys.exit(3)

asked = json.loads(os.environ["DIRTY_APPS"])
fixed = json.loads(os.environ["DIRTY_FIXED_APPS"])
seat = int(os.environ["DIRTY_SEAT"])
apps = [app for app in asked if app != "limited:App" or app in fixed or seat < 1]

running = 0
changed = threading.Condition()


def answer(request):
    global running
    with changed:
        running += 1
    if request["action"] == "sleep":
        time.sleep(request["args"][0])
    results = {"version": version, "sleep": version, "whoami": os.getpid(), "apps": apps}
    message = {"type": "response", "id": request["id"], "result": results[request["action"]]}
    if request["app_path"] not in apps:
        details = {"app_path": request["app_path"], "action": request["action"]}
        error = {"error_type": "DirtyAppNotFoundError", "message": "not loaded here", "details": details}
        message = {"type": "error", "id": request["id"], "error": error}
    reply = json.dumps(message).encode()
    return struct.pack(">I", len(reply)) + reply


def serve(slot):
    global running
    while header := slot.recv(4, socket.MSG_WAITALL):
        payload = slot.recv(struct.unpack(">I", header)[0], socket.MSG_WAITALL)
        slot.sendall(answer(json.loads(payload)))
        with changed:
            running -= 1
            changed.notify_all()


def terminate(*_):
    with changed:
        changed.wait_for(lambda: running == 0)
    os._exit(0)


listener = socket.socket(socket.AF_UNIX)
listener.bind(os.environ["DIRTY_WORKER_SOCKET"])
listener.listen()
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=terminate).start())
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"X_DIRTY_APPS=" + json.dumps(apps).encode() + b"\nREADY=1")


def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
period = float(os.environ.get("WATCHDOG_USEC", 0)) / 1e6
if period:

    def live():
        while True:
            notify.send(b"WATCHDOG=1")
            time.sleep(period / 3)

    threading.Thread(target=live, daemon=True).start()
# The lifeline: its end is ours.
while os.read(0, 100):
    pass
