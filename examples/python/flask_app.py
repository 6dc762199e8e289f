"""A Flask application under gunicorn's sync workers.

    dirty serve --socket ./d.sock --app digits:Digits --app images:Images --app chat:Chat
    DIRTY_SOCKET=./d.sock gunicorn --workers 4 flask_app:app
"""

from flask import Flask, Response, request

from dirty_arbiter import (
    DirtyAppError,
    DirtyConnectionError,
    DirtyOverloadedError,
    DirtyTimeoutError,
    get_dirty_client,
)

app = Flask(__name__)


@app.get("/digit/<int:number>")
def digit(number):
    client = get_dirty_client()
    sample = client.execute("digits:Digits", "sample", number)
    return {**client.execute("digits:Digits", "read", sample["pixels"]), "label": sample["label"]}


@app.post("/thumbnail")
def thumbnail():
    image = request.files["image"].read()
    small = get_dirty_client().execute("images:Images", "thumbnail", image, size=int(request.form.get("size", 128)))
    return Response(small, content_type="image/jpeg")


@app.post("/chat")
def chat():
    prompt = request.get_json()["prompt"]
    client = get_dirty_client()

    def stream():
        for token in client.stream("chat:Chat", "generate", prompt):
            yield f"data: {token}\n\n"

    return Response(stream(), content_type="text/event-stream")


@app.get("/ponder/<float:seconds>")
def ponder(seconds):
    return {"answer": get_dirty_client(timeout=1).execute("chat:Chat", "ponder", seconds)}


@app.errorhandler(DirtyAppError)
def app_error(error):
    return {"error": error.message}, 400


@app.errorhandler(DirtyTimeoutError)
def timeout(error):
    return {"error": "that took too long", "timeout": error.timeout}, 504


@app.errorhandler(DirtyOverloadedError)
def overloaded(error):
    return {"error": "too busy"}, 503, {"Retry-After": str(round(error.retry_after or 1))}


@app.errorhandler(DirtyConnectionError)
def unavailable(error):
    return {"error": "the arbiter is not there"}, 503
