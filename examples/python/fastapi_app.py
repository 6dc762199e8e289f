"""A FastAPI application under uvicorn: calls and streams that do not block the event loop.

DIRTY_SOCKET=./d.sock uvicorn fastapi_app:app
curl -N -X POST 'http://127.0.0.1:8000/chat?prompt=hello'
"""

from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from dirty_arbiter import DirtyAppError, close_dirty_client_async, get_dirty_client_async


@asynccontextmanager
async def lifespan(app):
    yield
    await close_dirty_client_async()


app = FastAPI(lifespan=lifespan)


@app.get("/digit/{number}")
async def digit(number: int):
    client = await get_dirty_client_async()
    sample = await client.execute_async("digits:Digits", "sample", number)
    return await client.execute_async("digits:Digits", "read", sample["pixels"])


@app.post("/chat")
async def chat(prompt: str):
    client = await get_dirty_client_async()

    async def stream():
        async for token in client.stream_async("chat:Chat", "generate_async", prompt):
            yield f"data: {token}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.post("/thumbnail")
async def thumbnail(request: Request, size: int = 128):
    client = await get_dirty_client_async()
    try:
        small = await client.execute_async("images:Images", "thumbnail", await request.body(), size=size)
    except DirtyAppError as error:
        raise HTTPException(400, error.message) from None
    return Response(small, media_type="image/jpeg")
