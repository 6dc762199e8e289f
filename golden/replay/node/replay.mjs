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
import { setTimeout as sleep } from "node:timers/promises";

const kind = (value) => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);
const fail = (why) => { throw new Error(why); };
// The operator that `t` is and what it holds: the name is the only member of its object.
const operator = (t) => (/^\$(var|any|like|opt|open|lit)$/.test(Object.keys(t ?? {})) ? Object.entries(t)[0] : ["", t]);

// Whether `got` fits the template. Writes into `binds`, also when it does not fit: give it a copy.
function matches(want, got, binds, literal = false, opened = false) {
  const [name, inner] = literal ? ["", want] : operator(want);
  if (name === "$var" && !Object.hasOwn(binds, inner)) binds[inner] = got;
  if (name === "$var") return Object.keys(binds).every((key) => (key === inner) === matches(binds[key], got, {}, true));
  if (name === "$any" || name === "$like") return name === "$any" || kind(inner) === kind(got);
  if (name !== "") return matches(inner, got, binds, name === "$lit", name === "$open");
  if (kind(want) !== kind(got) || typeof want !== "object" || want === null) return want === got;
  const absent = (key) => kind(want) === "object" && !literal && operator(want[key])[0] === "$opt";
  const fits = (key) => (Object.hasOwn(got, key) ? matches(want[key], got[key], binds, literal) : absent(key));
  return Object.keys(want).every(fits) && (opened || Object.keys(got).every((key) => Object.hasOwn(want, key)));
}

function render(t, binds, vars) {
  const [name, inner] = operator(t);
  if (name === "$var") return (binds[inner] = Object.hasOwn(binds, inner) ? binds[inner] : vars[inner]);
  if (["$lit", "$any", "$like"].includes(name) || typeof inner !== "object" || inner === null) return inner;
  const rendered = Object.entries(inner).map(([key, member]) => [key, render(member, binds, vars)]);
  return kind(inner) === "array" ? rendered.map(([, item]) => item) : Object.fromEntries(rendered);
}

const raw = ({ raw: hex = "", pad: { count = 0, byte = 0 } = {} }) =>
  Buffer.concat([Buffer.from(hex, "hex"), Buffer.alloc(count, byte)]);

async function read(socket, count, until) { // so many bytes, or fewer when the connection ends
  for (; Date.now() < until; await sleep(1)) {
    const got = socket.read(count) ?? (socket.readable ? null : (socket.read() ?? Buffer.alloc(0)));
    if (got !== null) return got;
  }
  return fail("nothing came in time");
}

async function expect(socket, step, binds) {
  const until = Date.now() + (step.quiet_ms ?? (step.within_ms ?? 5000) * (process.env.TIME_SCALE ?? 1));
  const waiting = [...(step.unordered ?? ("msg" in step ? [step] : []))];
  if (waiting.length === 0) { // quiet_ms, close or raw
    const want = "quiet_ms" in step ? "silence" : raw(step).toString("hex"); // "" is the end
    const got = await read(socket, raw(step).length || 1, until).then((it) => it.toString("hex"), () => "silence");
    if (got !== want) fail(`not "${want}" but "${got}"`);
  }
  while (waiting.length > 0) {
    const header = await read(socket, 4, until);
    const got = JSON.parse(header.length < 4 ? '"the end"' : await read(socket, header.readUInt32BE(), until));
    const found = waiting.findIndex(({ msg }) => matches(msg, got, { ...binds }, false, true));
    if (found < 0) fail(`no match for ${JSON.stringify(got)}`);
    matches(waiting.splice(found, 1)[0].msg, got, binds, false, true);
  }
}

async function send(socket, step, binds, vars) {
  await sleep(step.after_ms ?? 0);
  if ("close" in step) return socket.destroy();
  const payload = Buffer.from(JSON.stringify(render(step.msg ?? null, binds, vars))).toString("hex");
  const frame = { raw: (payload.length / 2).toString(16).padStart(8, "0") + payload };
  const written = new Promise((resolve) => socket.write(raw("msg" in step ? frame : step), resolve));
  return Promise.race([written, sleep(30000, { message: "not read in time" })]).then((it) => it && fail(it.message));
}

async function play({ steps, vars = {} }, role, path, binds = {}, sockets = {}) {
  const subject = steps.some(({ from }) => from === "client") ? "arbiter" : role; // a worker is read one hop on
  const close = () => Object.values(sockets).forEach((socket) => socket.destroy());
  for (const step of steps.filter(({ from }) => from)) {
    const tell = ({ message }) => fail(`${JSON.stringify(step).slice(0, 300)}: ${message}`, close());
    const socket = (sockets[step.on] ??= createConnection(path).on("error", () => {})); // read and write tell it
    await (step.from === subject ? expect : send)(socket, step, binds, vars).catch(tell);
  }
  close();
}

const judge = async ({ want, got, match, binds = {} }, bound = {}) =>
  (matches(want, got, bound, false, true) === match && (!match || matches(binds, bound, {}, true))) || fail("wrong");

const [, , role, subject = fail("replay.mjs ROLE SOCKET FILE..."), ...rest] = process.argv;
const load = (file) => JSON.parse(readFileSync(file, "utf8"));
const plays = ({ roles, needs = [] }) => roles.includes(role) && !needs.some((need) => rest.includes(`-${need}`));
const cases = role === "--matcher" ? load(subject).filter(({ id }) => !id.startsWith("bigint-"))
  : rest.filter((word) => word[0] !== "-").map(load).filter(plays);
let failed = 0;
const tell = (id) => (error) => console.log(`FAILED ${id} ${error.message}`, (failed += 1) && "");
for (const it of cases) await (role === "--matcher" ? judge(it) : play(it, role, subject)).catch(tell(it.id));
console.log(`${cases.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 || cases.length === 0 ? 1 : 0);
