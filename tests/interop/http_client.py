"""HTTP for the drivers: one connection a request, to the server named by INTEROP_HTTP."""

import http.client
import json
import os

HOST, PORT = os.environ["INTEROP_HTTP"].split(":")


class Answer:
    """The answer to one request, read or still arriving."""

    def __init__(self, method, path, body=None):
        self._connection = http.client.HTTPConnection(HOST, int(PORT), timeout=20)
        self._connection.request(method, path, body)
        self._response = self._connection.getresponse()
        self.status = self._response.status

    def line(self):
        return json.loads(self._response.readline())

    def json(self):
        value = json.loads(self._response.read())
        self._connection.close()
        return value


def get(path):
    return Answer("GET", path)
