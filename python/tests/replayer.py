"""Replays golden transcripts against a client: golden/README.md in Python.

The replayer plays the arbiter on a socket of its own; the client under test is driven by the API steps."""

import json
import queue
import socket
import tempfile
import time
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
OPERATORS = {"$var", "$any", "$like", "$opt", "$open", "$lit"}
# Expectations are given more time than the transcripts ask for: this machine may be busy.
SCALE = 4


class Mismatch(AssertionError):
    pass


def operator(template):
    if isinstance(template, dict) and len(template) == 1:
        name = next(iter(template))
        if name in OPERATORS and not (name == "$var" and not isinstance(template[name], str)):
            return name, template[name]
    return None, None


def kind(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "string", list: "array", dict: "object", type(None): "null"}[type(value)]


def equal(want, got):
    if kind(want) != kind(got):
        return False
    if kind(want) == "number":
        if isinstance(want, int) and isinstance(got, int):
            return want == got
        return float(want) == float(got)
    if isinstance(want, list):
        return len(want) == len(got) and all(map(equal, want, got))
    if isinstance(want, dict):
        return want.keys() == got.keys() and all(equal(want[name], got[name]) for name in want)
    return want == got


def matches(want, got, binds, envelope=False):
    """Whether a value matches a template; binds its variables."""
    name, inner = operator(want)
    if name == "$var":
        if inner in binds:
            return equal(binds[inner], got)
        if any(equal(value, got) for value in binds.values()):
            return False
        binds[inner] = got
        return True
    if name == "$any":
        return True
    if name == "$like":
        return kind(inner) == kind(got)
    if name == "$lit":
        return equal(inner, got)
    if name == "$open":
        return isinstance(got, dict) and members(inner, got, binds, True)
    if name == "$opt":
        return matches(inner, got, binds)
    if isinstance(want, dict):
        return isinstance(got, dict) and members(want, got, binds, envelope)
    if isinstance(want, list):
        return (
            isinstance(got, list)
            and len(want) == len(got)
            and all(matches(one, other, binds) for one, other in zip(want, got))
        )
    return equal(want, got)


def members(want, got, binds, is_open):
    for name, template in want.items():
        if name not in got:
            if operator(template)[0] == "$opt":
                continue
            return False
        if not matches(template, got[name], binds):
            return False
    return is_open or all(name in want for name in got)


def render(template, binds, variables):
    name, inner = operator(template)
    if name == "$var":
        if inner not in binds:
            binds[inner] = variables[inner]
        return binds[inner]
    if name in ("$any", "$like", "$lit"):
        return inner
    if name in ("$opt", "$open"):
        return render(inner, binds, variables)
    if isinstance(template, dict):
        return {key: render(value, binds, variables) for key, value in template.items()}
    if isinstance(template, list):
        return [render(value, binds, variables) for value in template]
    return template


class Link:
    """A connection that the client has opened."""

    def __init__(self, connection):
        self.connection = connection
        self.data = b""

    def fill(self, count, seconds):
        """Reads until so many bytes are there; False at the end of the connection."""
        deadline = time.monotonic() + seconds
        while len(self.data) < count:
            self.connection.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                got = self.connection.recv(65536)
            except ConnectionResetError:
                return False
            except TimeoutError:
                raise Mismatch(f"nothing more arrived, got {self.data!r}") from None
            if not got:
                return False
            self.data += got
        return True

    def frame(self, seconds):
        if not self.fill(4, seconds):
            raise Mismatch("the connection ended")
        end = 4 + int.from_bytes(self.data[:4], "big")
        if not self.fill(end, seconds):
            raise Mismatch("the connection ended inside a frame")
        payload, self.data = self.data[4:end], self.data[end:]
        return json.loads(payload)


def transcripts():
    """The transcripts for clients."""
    for path in sorted((GOLDEN / "client").glob("*.json")):
        transcript = json.loads(path.read_text(encoding="utf-8"))
        if "client" in transcript["roles"]:
            yield transcript


class Replay:
    """One transcript, played with a driver: an object with `start(label, path, call, report)` and `close()`."""

    def __init__(self, transcript, driver):
        self.transcript = transcript
        self.driver = driver
        self.binds = {}
        self.events = {}
        self.links = {}

    def run(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            self.listener = listener
            self.path = f"{folder}/d.sock"
            listener.bind(self.path)
            listener.listen()
            try:
                for number, step in enumerate(self.transcript["steps"], 1):
                    try:
                        self.step(step)
                    except Mismatch as error:
                        raise Mismatch(f"{self.transcript['id']}, step {number}: {error}\n{json.dumps(step)}") from None
            finally:
                for link in self.links.values():
                    link.connection.close()
                self.driver.close()

    def step(self, step):
        if "from" not in step:
            self.api(step)
        elif step["from"] == "client":
            self.expect(step)
        else:
            self.send(step)

    def link(self, label):
        if label not in self.links:
            self.listener.settimeout(5 * SCALE)
            self.links[label] = Link(self.listener.accept()[0])
        return self.links[label]

    def expect(self, step):
        seconds = step.get("within_ms", 5000) / 1000 * SCALE
        if "unordered" in step:
            wanted = [inner["msg"] for inner in step["unordered"]]
            while wanted:
                got = self.link(step["on"]).frame(seconds)
                for template in wanted:
                    tried = dict(self.binds)
                    if matches(template, got, tried, True):
                        self.binds = tried
                        wanted.remove(template)
                        break
                else:
                    raise Mismatch(f"got {got}")
            return
        link = self.link(step["on"])
        if "msg" in step:
            got = link.frame(seconds)
            tried = dict(self.binds)
            if not matches(step["msg"], got, tried, True):
                raise Mismatch(f"got {got}")
            self.binds = tried
        elif "raw" in step:
            raise NotImplementedError("raw of a client")
        elif "close" in step:
            if link.fill(len(link.data) + 1, seconds):
                raise Mismatch(f"still open, got {link.data!r}")
        else:
            try:
                link.fill(len(link.data) + 1, step["quiet_ms"] / 1000)
            except Mismatch:
                return
            raise Mismatch(f"not quiet: {link.data!r}")

    def send(self, step):
        time.sleep(step.get("after_ms", 0) / 1000)
        connection = self.link(step["on"]).connection
        connection.settimeout(5 * SCALE)
        if "msg" in step:
            payload = json.dumps(render(step["msg"], self.binds, self.transcript.get("vars", {}))).encode()
            connection.sendall(len(payload).to_bytes(4, "big") + payload)
        elif "raw" in step:
            pad = step.get("pad", {"byte": 0, "count": 0})
            connection.sendall(bytes.fromhex(step["raw"]) + bytes([pad["byte"]]) * pad["count"])
        else:
            connection.close()

    def api(self, step):
        key = (step["on"], step.get("as"))
        if "call" in step:
            events = self.events[key] = queue.Queue()
            self.driver.start(step["on"], self.path, step["call"], lambda *event: events.put(event))
            return
        try:
            told, value = self.events[key].get(timeout=step.get("within_ms", 5000) / 1000 * SCALE)
        except queue.Empty:
            raise Mismatch("nothing was told") from None
        if told not in step:
            raise Mismatch(f"got {told} {value!r}")
        if told == "raises":
            want = {"$open": step["raises"]}
            details = step["raises"].get("details")
            if isinstance(details, dict) and operator(details)[0] is None:
                want = {"$open": {**step["raises"], "details": {"$open": details}}}
        else:
            want = step[told]
        if not matches(want, value, self.binds):
            raise Mismatch(f"got {told} {value!r}")


def failure(error):
    """An exception as API steps describe it."""
    return {"error_type": type(error).__name__, "message": error.message, "details": error.details}
