import assert from "node:assert/strict";
import { test } from "node:test";

import { DirtyAppError, DirtyError, DirtyProtocolError, DirtyTimeoutError } from "../src/index.js";
import { scripted } from "./peer.js";

const APP = "fixture:App";

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

test("a stream gives its items, and those before its error", async (t) => {
  const { client, accept } = await scripted(t);
  const good = client.stream(APP, "count", 2);
  const bad = client.stream(APP, "count_then_fail", 1);
  const empty = client.stream(APP, "empty");
  const plain = client.stream(APP, "echo");
  const peer = await accept();
  const [first, second, third, fourth] = [
    await peer.request(), await peer.request(), await peer.request(), await peer.request(),
  ];
  peer.send(
    { type: "chunk", id: second.id, data: "b0" },
    { type: "chunk", id: first.id, data: "a0" },
    { type: "error", id: second.id, error: { error_type: "DirtyAppError", message: "boom", details: {} } },
    { type: "chunk", id: first.id, data: "a1" },
    { type: "end", id: first.id },
    { type: "end", id: third.id },
    { type: "response", id: fourth.id, result: "once" },
  );
  assert.deepEqual(await collect(good), ["a0", "a1"]);
  assert.deepEqual(await bad.next(), { done: false, value: "b0" });
  await assert.rejects(bad.next(), DirtyAppError);
  assert.deepEqual(await bad.next(), { done: true, value: undefined });
  assert.deepEqual(await collect(empty), []);
  assert.deepEqual(await collect(plain), ["once"]);
});

test("leaving a stream cancels it, and its late items reach nobody", async (t) => {
  const { client, accept } = await scripted(t);
  const stream = client.stream(APP, "count", 9);
  const peer = await accept();
  const { id } = await peer.request();
  peer.send({ type: "chunk", id, data: 0 }, { type: "chunk", id, data: 1 });
  for await (const item of stream) {
    assert.equal(item, 0);
    break;
  }
  assert.deepEqual(await peer.read(), { type: "cancel", id });
  const next = client.execute(APP, "echo");
  const again = await peer.request();
  peer.send({ type: "chunk", id, data: 2 }, { type: "end", id }, { type: "response", id: again.id, result: "mine" });
  assert.equal(await next, "mine");
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
});

test("the time limit is for each item, and only while somebody waits", async (t) => {
  const { client, accept } = await scripted(t);
  const stream = client.with({ timeoutMs: 100 }).stream(APP, "slow_count");
  const peer = await accept();
  const { id } = await peer.request();
  peer.send({ type: "chunk", id, data: 0 });
  await new Promise((resolve) => setTimeout(resolve, 150)); // the caller is busy for longer than the limit
  assert.deepEqual(await stream.next(), { done: false, value: 0 });
  await assert.rejects(stream.next(), DirtyTimeoutError);
  assert.deepEqual(await peer.read(), { type: "cancel", id });
});

test("a response inside a stream closes the connection", async (t) => {
  const { client, accept } = await scripted(t);
  const stream = client.stream(APP, "count", 2);
  const peer = await accept();
  const { id } = await peer.request();
  peer.send({ type: "chunk", id, data: 0 }, { type: "response", id, result: 1 });
  assert.deepEqual(await stream.next(), { done: false, value: 0 });
  await assert.rejects(stream.next(), DirtyProtocolError);
  await peer.end();
});

test("a stream that is not read stops the peer, and goes on when it is", async (t) => {
  const { client, accept } = await scripted(t, { streamBuffer: 100_000 });
  const stream = client.stream<string>(APP, "flood");
  const peer = await accept();
  const { id } = await peer.request();
  const data = "x".repeat(50_000);
  const whole = 400; // 20 MB, more than all buffers between
  for (let sent = 0; sent < whole; sent += 1) peer.send({ type: "chunk", id, data });
  peer.send({ type: "end", id });
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert(peer.socket.writableLength > 10_000_000, `only ${peer.socket.writableLength} bytes were held back`);
  // Another call of the same client gets through, in the middle of the loop.
  let count = 0;
  let reply: Promise<unknown> | undefined;
  for await (const item of stream) {
    assert.equal(item.length, data.length);
    count += 1;
    if (count === 1) {
      reply = client.execute(APP, "echo");
      const request = await peer.request();
      peer.send({ type: "response", id: request.id, result: "through" });
      assert.equal(await reply, "through");
    }
  }
  assert.equal(count, whole);
});

test("a stream that falls behind without end fails, and nothing else does", async (t) => {
  const { client, accept } = await scripted(t, { streamBuffer: 1000, maxFrame: 10_000 });
  const stream = client.stream(APP, "flood");
  const peer = await accept();
  const { id } = await peer.request();
  const call = client.execute(APP, "sleep");
  const other = await peer.request();
  for (let sent = 0; sent < 20; sent += 1) peer.send({ type: "chunk", id, data: "x".repeat(1000) });
  assert.deepEqual(await peer.read(), { type: "cancel", id });
  peer.send({ type: "end", id }, { type: "response", id: other.id, result: "fine" });
  assert.equal(await call, "fine");
  await assert.rejects(collect(stream), (error) => error instanceof DirtyError && error.errorType === "DirtyError");
});
