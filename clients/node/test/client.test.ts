import assert from "node:assert/strict";
import { test } from "node:test";

import {
  DirtyAppError,
  DirtyCancelledError,
  DirtyClient,
  DirtyConnectionError,
  DirtyError,
  DirtyOverloadedError,
  DirtyProtocolError,
  DirtyTimeoutError,
  DirtyWorkerError,
  discoverSocket,
} from "../src/index.js";
import { scripted } from "./peer.js";

const APP = "fixture:App";

test("calls share one connection, and replies find their callers in any order", async (t) => {
  const { client, accept } = await scripted(t);
  const one = client.execute(APP, "echo", 1);
  const two = client.with({ kwargs: { a: 2 } }).execute(APP, "echo");
  const peer = await accept();
  const [first, second] = [await peer.request(), await peer.request()];
  assert.deepEqual([first.args, first.kwargs], [[1], {}]);
  assert.deepEqual([second.args, second.kwargs], [[], { a: 2 }]);
  peer.send({ type: "response", id: second.id, result: "two" }, { type: "response", id: first.id, result: "one" });
  assert.deepEqual(await Promise.all([one, two]), ["one", "two"]);
});

test("an error has its class, its details, and leaves the connection usable", async (t) => {
  const { client, accept } = await scripted(t);
  const expected = [
    ["DirtyAppError", DirtyAppError, { traceback: "line 1" }, (it: DirtyAppError) => it.traceback === "line 1"],
    ["DirtyWorkerError", DirtyWorkerError, { exit_code: 7 }, (it: DirtyWorkerError) => it.exitCode === 7],
    ["DirtyTimeoutError", DirtyTimeoutError, { phase: "run" }, (it: DirtyTimeoutError) => it.phase === "run"],
    ["DirtyOverloadedError", DirtyOverloadedError, { retry_after: 2 }, (it: DirtyOverloadedError) => it.retryAfter === 2],
    ["constructor", DirtyError, { new: true }, (it: DirtyError) => it.details["new"] === true],
  ] as const;
  const calls = expected.map(() => client.execute(APP, "fail").catch((error: unknown) => error));
  const peer = await accept();
  for (const [error_type, , details] of expected) {
    peer.send({ type: "error", id: (await peer.request()).id, error: { error_type, message: "m", details } });
  }
  for (const [index, [, Kind, , holds]] of expected.entries()) {
    const error = await calls[index];
    assert(error instanceof Kind && error.message === "m" && (holds as (it: unknown) => boolean)(error), String(error));
    assert.equal(error.constructor, Kind);
  }
});

test("execute on a stream fails and cancels", async (t) => {
  const { client, accept } = await scripted(t);
  const call = client.execute(APP, "count", 2).catch((error: unknown) => error);
  const peer = await accept();
  const { id } = await peer.request();
  peer.send({ type: "chunk", id, data: 0 });
  assert.deepEqual(await peer.read(), { type: "cancel", id });
  assert.equal(((await call) as DirtyError).errorType, "DirtyError");
  const next = client.execute(APP, "echo");
  const again = await peer.request();
  peer.send({ type: "chunk", id, data: 1 }, { type: "end", id }, { type: "response", id: again.id, result: 1 });
  assert.equal(await next, 1);
});

test("a caller's time limit cancels the call and tells the arbiter", async (t) => {
  const { client, accept } = await scripted(t);
  const call = client.with({ timeoutMs: 30 }).execute(APP, "sleep");
  const failure = assert.rejects(call, (error) => error instanceof DirtyTimeoutError && error.timeout === 0.03);
  const peer = await accept();
  const { id, timeout } = await peer.request();
  assert.equal(timeout, 0.03);
  assert.deepEqual(await peer.read(), { type: "cancel", id });
  await failure;
});

test("a signal cancels the call, before and after it was sent", async (t) => {
  const { client, accept } = await scripted(t);
  const stop = new AbortController();
  const reason = new Error("enough");
  const cancelled = (error: unknown) => error instanceof DirtyCancelledError && error.cause === reason;
  const call = client.with({ signal: stop.signal }).execute(APP, "sleep");
  const peer = await accept();
  const { id } = await peer.request();
  stop.abort(reason);
  await assert.rejects(call, cancelled);
  assert.deepEqual(await peer.read(), { type: "cancel", id });
  await assert.rejects(client.with({ signal: stop.signal }).execute(APP, "sleep"), cancelled);
  await assert.rejects(client.with({ signal: stop.signal }).stream(APP, "count").next(), cancelled);
});

test("a lost connection fails the calls in flight, and the next call connects again", async (t) => {
  const { client, accept } = await scripted(t);
  const call = assert.rejects(client.execute(APP, "echo"), DirtyConnectionError);
  const peer = await accept();
  await peer.request();
  peer.socket.destroy();
  await call;
  const next = client.execute(APP, "echo");
  const again = await accept();
  again.send({ type: "response", id: (await again.request()).id, result: 1 });
  assert.equal(await next, 1);
});

test("no arbiter is a DirtyConnectionError, and is tried again", async (t) => {
  const { path } = await scripted(t);
  const client = new DirtyClient(`${path}-nobody`);
  await assert.rejects(client.execute(APP, "echo"), DirtyConnectionError);
  await assert.rejects(client.execute(APP, "echo"), DirtyConnectionError);
});

test("an error with the id null is the cause of the end of the connection, and no reply", async (t) => {
  const { client, accept } = await scripted(t);
  const call = client.execute(APP, "echo").catch((error: unknown) => error);
  const peer = await accept();
  await peer.request();
  const error = { error_type: "DirtyOverloadedError", message: "full", details: { retry_after: 3 } };
  peer.send({ type: "error", id: null, error });
  peer.socket.end();
  const failure = (await call) as DirtyProtocolError;
  assert(failure instanceof DirtyProtocolError);
  assert(failure.cause instanceof DirtyOverloadedError && failure.cause.retryAfter === 3);
});

const frames: [string, Buffer, string][] = [
  ["length 0", Buffer.alloc(4), "FRAME-3"],
  ["a length over the limit", Buffer.from("04000001", "hex"), "FRAME-3"],
  ["no UTF-8", Buffer.from("00000001ff", "hex"), "FRAME-10"],
  ["a byte order mark", Buffer.from("00000005efbbbf7b7d", "hex"), "FRAME-10"],
  ["an array", Buffer.from("000000025b5d", "hex"), "FRAME-10"],
  ["no type", Buffer.from("000000027b7d", "hex"), "MSG-1"],
];
for (const [what, bytes, requirement] of frames) {
  test(`${what} closes the connection`, async (t) => {
    const { client, accept } = await scripted(t);
    const broken = (error: unknown) => error instanceof DirtyProtocolError && error.requirement === requirement;
    const call = assert.rejects(client.execute(APP, "echo"), broken);
    const peer = await accept();
    await peer.request();
    peer.raw(bytes);
    await call;
    await peer.end();
  });
}

test("a foreign id, and a reply after the end, close the connection", async (t) => {
  const { client, accept } = await scripted(t);
  const call = client.execute(APP, "echo");
  const peer = await accept();
  const { id } = await peer.request();
  const other = assert.rejects(client.execute(APP, "echo"), (error) => error instanceof DirtyProtocolError);
  await peer.request();
  peer.send({ type: "response", id, result: 1 }, { type: "response", id, result: 2 });
  assert.equal(await call, 1);
  await other;
  await peer.end();
});

test("a frame may come byte by byte", async (t) => {
  const { client, accept } = await scripted(t);
  const call = client.execute(APP, "echo");
  const peer = await accept();
  const { id } = await peer.request();
  const payload = Buffer.from(JSON.stringify({ type: "response", id, result: "é😀" }));
  const header = Buffer.alloc(4);
  header.writeUInt32BE(payload.length);
  for (const byte of Buffer.concat([header, payload])) {
    peer.raw(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  assert.equal(await call, "é😀");
});

test("a request over the frame limit is not sent", async (t) => {
  const { client, accept } = await scripted(t, { maxFrame: 1000 });
  await assert.rejects(client.execute(APP, "echo", "x".repeat(1000)), RangeError);
  const call = client.execute(APP, "echo");
  const peer = await accept();
  const { id } = await peer.request();
  const empty = JSON.stringify({ type: "response", id, result: "" }).length;
  peer.send({ type: "response", id, result: "x".repeat(1000 - empty) }); // FRAME-13
  assert.equal(((await call) as string).length, 1000 - empty);
});

test("closing fails what is in flight", async (t) => {
  const { client, accept } = await scripted(t);
  const call = assert.rejects(client.execute(APP, "echo"), DirtyConnectionError);
  const peer = await accept();
  await peer.request();
  await client.close();
  await call;
  await peer.end();
});

test("the socket is found by the environment", () => {
  const all = { DIRTY_SOCKET: "a", GUNICORN_DIRTY_SOCKET: "b", XDG_RUNTIME_DIR: "/run/user/1" };
  assert.equal(discoverSocket(all), "a");
  assert.equal(discoverSocket({ ...all, DIRTY_SOCKET: "" }), "b");
  assert.equal(discoverSocket({ XDG_RUNTIME_DIR: "/run/user/1" }), "/run/user/1/dirty/arbiter.sock");
  assert.throws(() => discoverSocket({}), DirtyConnectionError);
});
