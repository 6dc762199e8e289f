import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { checkMessage } from "../src/check.js";
import { FRAME_LIMIT, FrameReader, frame } from "../src/frame.js";
import { DirtyProtocolError } from "../src/index.js";
import { parsePayload } from "../src/json.js";
import { applyHints, Encoder } from "../src/values.js";
import { scripted } from "./peer.js";

const vectors = new URL("../../../../schemas/vectors/", import.meta.url);

interface Vector {
  id: string;
  layer: "schema" | "text";
  message?: unknown;
  text?: string;
  pointer: string;
  requirement: string;
}

function judge(vector: Vector): DirtyProtocolError | undefined {
  try {
    const bytes = frame(Buffer.from(vector.text ?? JSON.stringify(vector.message)));
    for (const payload of new FrameReader(FRAME_LIMIT).push(bytes)) checkMessage(parsePayload(payload));
    return undefined;
  } catch (error) {
    assert(error instanceof DirtyProtocolError, `${vector.id}: ${String(error)}`);
    return error;
  }
}

for (const folder of ["valid", "invalid"]) {
  test(`every vector in ${folder}/ is judged as it says`, () => {
    const names = readdirSync(new URL(`${folder}/`, vectors));
    assert(names.length > 100);
    for (const name of names) {
      const vector = JSON.parse(readFileSync(new URL(`${folder}/${name}`, vectors), "utf8")) as Vector;
      const error = judge(vector);
      if (folder === "valid") {
        assert.equal(error, undefined, `${vector.id}: ${String(error)}`);
      } else {
        assert(error, `${vector.id} was accepted`);
        // Which of several places is named first is free for text; the requirement is not.
        assert.equal(error.requirement, vector.requirement, vector.id);
        if (vector.layer === "schema") assert.equal(error.pointer, vector.pointer, vector.id);
      }
    }
  });
}

test("what JSON lacks goes out with hints", () => {
  const encoder = new Encoder(true);
  const value = [new Uint8Array([0, 255]), { "a/~b": 2n ** 63n, n: NaN, small: 7n, gone: undefined }, -Infinity, -0];
  assert.equal(
    encoder.encode(value, "/args"),
    '["AP8=",{"a/~b":"9223372036854775808","n":"NaN","small":7},"-Infinity",-0.0]',
  );
  assert.deepEqual(encoder.hints, {
    "/args/0": "base64",
    "/args/1/a~1~0b": "int",
    "/args/1/n": "float",
    "/args/2": "float",
  });
});

test("what cannot be sent is refused, with its place", () => {
  const refused = (value: unknown, hints: boolean, place: RegExp) =>
    assert.throws(() => new Encoder(hints).encode(value, "/args"), (it) => it instanceof TypeError && place.test(it.message));
  refused([1, undefined], true, /\/args\/1/);
  refused([() => 1], true, /\/args\/0/);
  refused([new Map()], true, /\/args\/0.*Map/);
  for (const value of [NaN, 2n ** 60n, new Uint8Array(1)]) refused([{ k: value }], false, /\/args\/0\/k/);
  const cycle: unknown[] = [];
  cycle.push(cycle);
  refused(cycle, true, /levels deep/);
});

test("hints in replies become bytes, integers and floats", async (t) => {
  const { client, accept } = await scripted(t);
  const call = client.execute("fixture:App", "echo");
  const peer = await accept();
  const { id, accept_hints } = await peer.request();
  assert.equal(accept_hints, true);
  const result = { b: "AP8=", i: ["9223372036854775808", "5"], f: "-Infinity" };
  const hints = { "/result/b": "base64", "/result/i/0": "int", "/result/i/1": "int", "/result/f": "float" };
  peer.send({ type: "response", id, result, hints });
  assert.deepEqual(await call, { b: new Uint8Array([0, 255]), i: [2n ** 63n, 5], f: -Infinity });
});

test("a hint that lies fails its call, and leaves the connection usable", async (t) => {
  const { client, accept } = await scripted(t);
  const lies: [unknown, object][] = [
    ["x", { "/result": "base64" }],
    [1, { "/result": "int" }],
    ["1.5", { "/result": "int" }],
    ["constructor", { "/result": "float" }],
    ["1", { "/result/0": "int" }],
    [["1"], { "/result/length": "int" }],
    ["1", { "/id": "int" }],
  ];
  let peer;
  for (const [result, hints] of lies) {
    const call = assert.rejects(client.execute("fixture:App", "echo"), DirtyProtocolError, JSON.stringify(hints));
    peer ??= await accept();
    peer.send({ type: "response", id: (await peer.request()).id, result, hints });
    await call;
  }
});

test("integers that a number cannot hold are read as bigint, and other text is left alone", () => {
  const text = '{"a":[9007199254740993,-9007199254740993,9007199254740991,1e30,"9007199254740993"],"b":"\\\\\\"9007199254740993"}';
  assert.deepEqual(parsePayload(Buffer.from(text)), {
    a: [9007199254740993n, -9007199254740993n, 9007199254740991, 1e30, "9007199254740993"],
    b: '\\"9007199254740993',
  });
});

test("a member called __proto__ is data", () => {
  const message = parsePayload(Buffer.from('{"result":{"__proto__":["1"]}}')) as { result: object };
  applyHints(message, "result", { "/result/__proto__/0": "int" });
  assert.deepEqual(Object.getOwnPropertyDescriptor(message.result, "__proto__")?.value, [1]);
});
