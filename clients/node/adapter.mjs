// The adapter of this client for `dirty check client -- node adapter.mjs` (contract: dirty-adapter/1).

import { createInterface } from "node:readline";
import { DirtyClient, DirtyError } from "dirty-arbiter-client";

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const clients = new Map();

say({ hello: { adapter: "dirty-adapter/1", name: "dirty-arbiter-client (Node)", version: "0.1.0", lacks: [] } });
for await (const line of createInterface({ input: process.stdin })) void make(JSON.parse(line));
process.exit(0); // the kit has hung up

async function make(call) {
  try {
    if (!clients.has(call.on)) clients.set(call.on, new DirtyClient(process.env.DIRTY_SOCKET));
    const { args, kwargs } = withHints(call);
    const options = { kwargs, ...(call.timeout !== undefined && { timeoutMs: call.timeout * 1000 }) };
    const client = clients.get(call.on).with(options);
    if (call.method === "execute") {
      tell(call, "returns", await client.execute(call.app_path, call.action, ...args));
      return;
    }
    const stream = client.stream(call.app_path, call.action, ...args);
    if (call.take === 0) await stream.return();
    let taken = 0;
    for await (const item of stream) {
      tell(call, "yields", item);
      if (++taken === call.take) break;
    }
    tell(call, "returns", null);
  } catch (error) {
    const { message, details = {} } = error;
    const error_type = error instanceof DirtyError ? error.errorType : error.name;
    say({ call: call.call, raises: { error_type, message, details } });
  }
}

function tell(call, event, value) {
  const hints = {};
  const plain = unhinted(value, `/${event}`, hints);
  say({ call: call.call, [event]: plain, ...(Object.keys(hints).length > 0 && { hints }) });
}

// A value as this client gives it, written as it stands on the wire.
function unhinted(value, at, hints) {
  const hint = (kind, text) => ((hints[at] = kind), text);
  if (value instanceof Uint8Array) return hint("base64", Buffer.from(value).toString("base64"));
  if (typeof value === "bigint") return hint("int", String(value));
  if (typeof value === "number" && !Number.isFinite(value)) return hint("float", String(value));
  if (Array.isArray(value)) return value.map((item, index) => unhinted(item, `${at}/${index}`, hints));
  if (typeof value !== "object" || value === null) return value;
  const token = (key) => key.replaceAll("~", "~0").replaceAll("/", "~1");
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, unhinted(inner, `${at}/${token(key)}`, hints)]),
  );
}

// The arguments of a call line as values of this language.
function withHints({ args, kwargs, hints = {} }) {
  const root = { args, kwargs };
  const decode = { base64: (text) => new Uint8Array(Buffer.from(text, "base64")), int: BigInt, float: Number };
  for (const [pointer, kind] of Object.entries(hints)) {
    const path = pointer.slice(1).split("/").map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = path.pop();
    const holder = path.reduce((value, key) => value[key], root);
    holder[last] = decode[kind](holder[last]);
  }
  return root;
}
