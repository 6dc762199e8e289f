// Replays dirty-transcript/1 files (golden/README.md) against an arbiter or a worker. Meant to be copied.
//
//     replay.mjs ROLE SOCKET [-FEATURE...] FILE...   ROLE: arbiter or worker; -FEATURE: one that it lacks (`needs`)
//     replay.mjs --matcher FILE                      judges the matcher by golden/matcher.json
//
// TIME_SCALE=4 in the environment makes expectations wait four times as long, for busy machines.
//
// JSON.parse reads integers as doubles, so one check is not made: integers beyond 2^53 that differ by little are equal.
import { readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { isDeepStrictEqual } from "node:util";

const OPERATORS = ["$var", "$any", "$like", "$opt", "$open", "$lit"];
const kind = (value) => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);
const has = (object, key) => Object.hasOwn(object, key);

function operator(t) {
  const keys = kind(t) === "object" ? Object.keys(t) : [];
  return keys.length === 1 && OPERATORS.includes(keys[0]) ? [keys[0], t[keys[0]]] : ["", t];
}

// Whether `got` fits the template. Writes into `binds`, also when it does not fit: give it a copy.
function matches(want, got, binds, literal = false, opened = false) {
  const [name, inner] = literal ? ["", want] : operator(want);
  if (name === "$var") {
    if (!has(binds, inner)) binds[inner] = got;
    return Object.keys(binds).every((key) => (key === inner) === matches(binds[key], got, {}, true));
  }
  if (name === "$any" || name === "$like") return name === "$any" || kind(inner) === kind(got);
  if (name !== "") return matches(inner, got, binds, name === "$lit", name === "$open");
  if (kind(want) !== kind(got)) return false;
  if (kind(want) === "array") {
    return want.length === got.length && want.every((it, index) => matches(it, got[index], binds, literal));
  }
  if (kind(want) !== "object") return want === got;
  return Object.keys(want).every((key) =>
    has(got, key) ? matches(want[key], got[key], binds, literal) : !literal && operator(want[key])[0] === "$opt",
  ) && (opened || Object.keys(got).every((key) => has(want, key)));
}

function render(t, binds, vars) {
  const [name, inner] = operator(t);
  if (name === "$var") return (binds[inner] = has(binds, inner) ? binds[inner] : vars[inner]);
  if (["$lit", "$any", "$like"].includes(name)) return inner;
  if (kind(inner) === "array") return inner.map((it) => render(it, binds, vars));
  if (kind(inner) !== "object") return inner;
  return Object.fromEntries(Object.entries(inner).map(([key, it]) => [key, render(it, binds, vars)]));
}

const raw = ({ raw = "", pad }) => Buffer.concat([Buffer.from(raw, "hex"), Buffer.alloc(pad?.count ?? 0, pad?.byte ?? 0)]);

class Connection {
  constructor(path) {
    [this.parts, this.held, this.ended, this.socket] = [[], 0, false, createConnection(path)];
    this.socket.on("data", (bytes) => (this.parts.push(bytes), (this.held += bytes.length), this.wake?.()));
    this.socket.on("error", (error) => (this.error = error)); // told when something is written or expected
    this.socket.on("close", () => ((this.ended = true), this.wake?.()));
  }

  async read(count, until) { // so many bytes, or fewer when the connection ends; undefined when it is too late
    while (this.held < count && !this.ended) {
      if (Date.now() >= until) return undefined;
      await new Promise((wake) => ((this.wake = wake), setTimeout(wake, until - Date.now())));
    }
    const all = Buffer.concat(this.parts);
    [this.parts, this.held] = [[all.subarray(count)], Math.max(0, all.length - count)];
    return all.subarray(0, count);
  }
}

async function expect(connection, step, binds) {
  const until = Date.now() + (step.quiet_ms ?? (step.within_ms ?? 5000) * (process.env.TIME_SCALE ?? 1));
  if (has(step, "quiet_ms")) {
    const got = await connection.read(1, until);
    if (got) throw new Error(`not silence but ${got.length === 0 ? "the end" : got.toString("hex")}`);
  } else if (has(step, "close") || has(step, "raw")) {
    const got = await connection.read(raw(step).length || 1, until);
    if (!got?.equals(raw(step))) throw new Error(`not ${raw(step).toString("hex")} but ${got?.toString("hex")}`);
  }
  for (const waiting = [...(step.unordered ?? (has(step, "msg") ? [step] : []))]; waiting.length > 0; ) {
    const header = await connection.read(4, until);
    const payload = header?.length === 4 ? await connection.read(header.readUInt32BE(), until) : undefined;
    if (!payload) throw new Error(header ? "the connection ended" : "nothing came in time");
    const tries = waiting.map((inner) => [inner, { ...binds }]);
    const found = tries.find(([inner, tried]) => matches(inner.msg, JSON.parse(payload), tried, false, true));
    if (!found) throw new Error(`no match for ${payload}`);
    waiting.splice(waiting.indexOf(found[0]), 1);
    Object.assign(binds, found[1]);
  }
}

async function send(connection, step, binds, vars) {
  await new Promise((resolve) => setTimeout(resolve, step.after_ms ?? 0));
  if (has(step, "close")) return connection.socket.destroy();
  const payload = has(step, "raw") ? "" : Buffer.from(JSON.stringify(render(step.msg, binds, vars)));
  const header = Buffer.alloc(4);
  header.writeUInt32BE(payload.length);
  await new Promise((resolve, reject) =>
    connection.socket.write(has(step, "raw") ? raw(step) : Buffer.concat([header, payload]), (error) => (error ? reject(error) : resolve())),
  );
}

async function play(transcript, role, path) { // gives what went wrong
  const [binds, connections, steps] = [{}, {}, transcript.steps.filter((step) => has(step, "from"))];
  const subject = role === "worker" && steps.some((step) => step.from === "client") ? "arbiter" : role; // read one hop on
  try {
    for (const step of steps) {
      const connection = (connections[step.on] ??= new Connection(path));
      try {
        if (step.from === subject) await expect(connection, step, binds);
        else await send(connection, step, binds, transcript.vars ?? {});
      } catch (error) {
        return `${JSON.stringify(step).slice(0, 300)}: ${error.message}`;
      }
    }
  } finally {
    for (const { socket } of Object.values(connections)) socket.destroy();
  }
}

function judge({ want, got, match, binds = {} }) {
  const bound = {};
  const fits = matches(want, got, bound, false, true);
  return fits === match && (!fits || isDeepStrictEqual(bound, binds)) ? undefined : "another verdict";
}

const [role, subject, ...rest] = process.argv.slice(2);
if (!subject) throw new Error("replay.mjs ROLE SOCKET [-FEATURE...] FILE... | replay.mjs --matcher FILE");
const load = (file) => JSON.parse(readFileSync(file, "utf8"));
const lacks = rest.filter((word) => word[0] === "-").map((word) => word.slice(1));
const cases = role === "--matcher" ? load(subject).filter(({ id }) => !id.startsWith("bigint-"))
  : rest.filter((word) => word[0] !== "-").map(load)
    .filter(({ roles, needs = [] }) => roles.includes(role) && !needs.some((it) => lacks.includes(it)));
let failed = 0;
for (const it of cases) {
  const why = role === "--matcher" ? judge(it) : await play(it, role, subject);
  if (why) console.log("FAILED", it.id, why, (failed += 1) && "");
}
console.log(`${cases.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 || cases.length === 0 ? 1 : 0);
