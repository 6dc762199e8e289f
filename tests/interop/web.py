"""A web application as gunicorn's users write them: it calls dirty apps with the client of its thread."""

import json
from urllib.parse import parse_qsl

from gunicorn.dirty import DirtyError, get_dirty_client

APP = "fixture:App"


def app(environ, start_response):
    path = environ["PATH_INFO"]
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    client = get_dirty_client()
    try:
        if path == "/echo":
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = environ["wsgi.input"].read(length).decode()
            return answer(start_response, "200 OK", client.execute(APP, "echo", body, **query))
        if path == "/call":
            arguments = [query["arg"]] if "arg" in query else []
            return answer(start_response, "200 OK", client.execute(query["app"], query["action"], *arguments))
        if path == "/stream":
            items = client.stream(APP, "slow_count", int(query["n"]), float(query["pause"]))
            start_response("200 OK", [("Content-Type", "application/x-ndjson")])
            return (json.dumps(item).encode() + b"\n" for item in items)
        return answer(start_response, "404 Not Found", {"path": path})
    except DirtyError as error:
        described = {"class": type(error).__name__, "message": error.message, "details": error.details}
        return answer(start_response, "502 Bad Gateway", described)


def answer(start_response, status, value):
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(value).encode()]
