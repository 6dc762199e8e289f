"""The examples, run for real: web servers, an arbiter, HTTP. They need the packages of tests/python/examples.txt."""

import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid
from pathlib import Path

from dirty_arbiter.testing import ArbiterProcess

EXAMPLES = Path(__file__).resolve().parents[2] / "examples/python"
APPS = ["digits:Digits", "images:Images", "chat:Chat"]
PATIENCE = 60
# The package as it is here, which need not be installed.
PACKAGE = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}


class WebServer:
    """A web server on a port of its own choice."""

    def __init__(self, *command, socket, says):
        self._log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        environment = {**os.environ, **PACKAGE, "DIRTY_SOCKET": socket, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=EXAMPLES, env=environment, stdout=self._log, stderr=self._log
        )
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(says, self.log())):
            assert time.monotonic() < deadline and self.process.poll() is None, self.log()
            time.sleep(0.02)
        self.address = ("127.0.0.1", int(found.group(1)))

    def log(self):
        return Path(self._log.name).read_text()

    def request(self, method, path, body=None, **headers):
        """A response whose body has not been read yet."""
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        # The response then owns the socket.
        connection.request(method, path, body, {**headers, "Connection": "close"})
        return connection.getresponse()

    def json(self, method, path, body=None, **headers):
        with self.request(method, path, body, **headers) as response:
            return response.status, json.loads(response.read())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


def events(response):
    """The events of a stream, each with the time at which it came."""
    got = []
    while line := response.readline():
        if line.startswith(b"data: "):
            got.append((line[6:].rstrip(b"\n").decode(), time.monotonic()))
    return got


def picture():
    from PIL import Image

    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((640, 480)).save(buffer, "PNG")
    return buffer.getvalue()


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.arbiter = ArbiterProcess(*APPS, threads=4, python_path=[EXAMPLES])
        cls.addClassCleanup(cls.arbiter.stop)

    def gunicorn(self, application, *arguments):
        command = ["gunicorn", "--bind", "127.0.0.1:0", "--workers", "2", *arguments, application]
        server = WebServer(*command, socket=self.arbiter.socket, says=r"Listening at: http://127.0.0.1:([0-9]+)")
        self.addCleanup(server.stop)
        return server

    def streams(self, response):
        """The response is a stream whose events came as they were made."""
        self.assertTrue(response.getheader("content-type").startswith("text/event-stream"))
        got = events(response)
        words = [word for word, _ in got]
        self.assertEqual(words[:3], ["You", "said:", "hello"])
        self.assertEqual(len(words), 12)
        # Each takes the app 50 ms. Had they been collected, they would have come at once.
        self.assertGreater(got[-1][1] - got[0][1], 0.3)

    def test_flask_under_gunicorn(self):
        server = self.gunicorn("flask_app:app")
        right = 0
        for number in range(10):
            status, answer = server.json("GET", f"/digit/{number}")
            self.assertEqual(status, 200)
            right += answer["digit"] == answer["label"]
        self.assertGreater(right, 7)

        boundary = uuid.uuid4().hex
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n'.encode()
        body = part + picture() + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        with server.request("POST", "/thumbnail", body, **kind) as response:
            self.assertEqual((response.status, response.getheader("content-type")), (200, "image/jpeg"))
            self.assertTrue(response.read().startswith(b"\xff\xd8\xff"))

        prompt = json.dumps({"prompt": "hello"})
        with server.request("POST", "/chat", prompt, **{"Content-Type": "application/json"}) as response:
            self.streams(response)

        self.assertEqual(server.json("GET", "/ponder/0.01"), (200, {"answer": "42"}))
        status, answer = server.json("GET", "/ponder/600.0")
        self.assertEqual((status, answer["timeout"]), (504, 1))

    def test_fastapi_under_uvicorn(self):
        command = ["uvicorn", "--port", "0", "fastapi_app:app"]
        server = WebServer(*command, socket=self.arbiter.socket, says=r"running on http://127.0.0.1:([0-9]+)")
        self.addCleanup(server.stop)
        status, answer = server.json("GET", "/digit/5")
        self.assertEqual((status, set(answer)), (200, {"digit", "probability"}))
        # Four streams at once, in one process, each as it is made.
        responses = [server.request("POST", "/chat?prompt=hello") for _ in range(4)]
        threads = []
        failures = []

        def consume(response):
            try:
                self.streams(response)
            except BaseException as error:
                failures.append(error)

        for response in responses:
            threads.append(threading.Thread(target=consume, args=(response,)))
            threads[-1].start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(failures, [])
        with server.request("POST", "/thumbnail?size=32", picture()) as response:
            self.assertEqual((response.status, response.read()[:3]), (200, b"\xff\xd8\xff"))
        status, answer = server.json("POST", "/thumbnail", b"no image")
        self.assertEqual(status, 400)
        self.assertIn("cannot identify image", answer["detail"])

    def test_django_under_gunicorn(self):
        server = self.gunicorn("django_app:application")
        status, answer = server.json("GET", "/digit/5")
        self.assertEqual((status, set(answer)), (200, {"digit", "probability"}))
        status, answer = server.json("GET", "/read")
        self.assertEqual(status, 400)
        self.assertIn("features", answer["error"])
        with server.request("GET", "/chat?prompt=hello") as response:
            self.assertTrue(response.read().startswith(b"You said: hello"))

    def test_images_from_python_itself(self):
        from PIL import Image

        client = self.arbiter.client
        resized = client.execute("images:Images", "resize", picture(), 20, 10)
        with Image.open(io.BytesIO(resized)) as image:
            self.assertEqual((image.format, image.size), ("PNG", (20, 10)))
        small = client.execute("images:Images", "thumbnail", picture(), size=64)
        with Image.open(io.BytesIO(small)) as image:
            self.assertEqual((image.format, image.size), ("JPEG", (64, 48)))

    def test_a_model_is_loaded_once_and_reads_as_a_stream(self):
        client = self.arbiter.client
        samples = [client.execute("digits:Digits", "sample", number) for number in range(20)]
        answers = list(client.stream("digits:Digits", "read_many", [sample["pixels"] for sample in samples]))
        right = sum(answer["digit"] == sample["label"] for answer, sample in zip(answers, samples))
        self.assertGreater(right, 15)

    def test_the_memory_of_web_workers(self):
        ended = subprocess.run(
            [sys.executable, "memory.py", "2"],
            cwd=EXAMPLES,
            env={**os.environ, **PACKAGE},
            capture_output=True,
            text=True,
            timeout=240,
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        before, after = (float(line.split(":")[1].split()[0]) for line in ended.stdout.splitlines())
        print(ended.stdout)
        self.assertLess(after, before)


if __name__ == "__main__":
    unittest.main()
