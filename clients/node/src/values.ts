import { DEPTH_LIMIT, badMessage, pointerToken, setMember } from "./json.js";
import type { DirtyProtocolError } from "./errors.js";
import type { Hint, Hints } from "./messages.js";

/**
 * What travels: JSON, and by way of hints bytes, integers of any size, NaN and the infinities (VAL-5).
 *
 * An integer that a `number` holds exactly is read as a `number`, any other as a `bigint`.
 */
export type Value = null | boolean | number | bigint | string | Uint8Array | Value[] | { [name: string]: Value };

/** Text of a value, and the hints that it needs, which are added to `hints`. */
export class Encoder {
  readonly hints: Hints = {};

  /** With `allowHints` false, what needs a hint is refused. */
  constructor(readonly allowHints: boolean) {}

  /** The value as JSON text. Throws `TypeError` with the place of what cannot be sent. */
  encode(value: unknown, at: string, depth = 2): string {
    if (depth > DEPTH_LIMIT) throw new TypeError(`failed to send ${at}: nested more than ${DEPTH_LIMIT} levels deep`);
    switch (typeof value) {
      case "boolean":
        return String(value);
      case "string":
        return JSON.stringify(value);
      case "number":
        if (Object.is(value, -0)) return "-0.0";
        return Number.isFinite(value) ? String(value) : this.#hinted("float", String(value), at);
      case "bigint":
        return isSafe(value) ? String(value) : this.#hinted("int", String(value), at);
      case "object":
        return value === null ? "null" : this.#object(value, at, depth);
      default:
        throw new TypeError(`failed to send ${at}: a value of the type ${typeof value} is not JSON`);
    }
  }

  #object(value: object, at: string, depth: number): string {
    if (value instanceof Uint8Array) {
      const { buffer, byteOffset, byteLength } = value;
      return this.#hinted("base64", Buffer.from(buffer, byteOffset, byteLength).toString("base64"), at);
    }
    if ("toJSON" in value && typeof value.toJSON === "function") return this.encode(value.toJSON(), at, depth);
    if (Array.isArray(value)) {
      return `[${Array.from(value, (item, index) => this.encode(item, `${at}/${index}`, depth + 1)).join(",")}]`;
    }
    const kind = Object.prototype.toString.call(value);
    if (kind !== "[object Object]") throw new TypeError(`failed to send ${at}: ${kind} is not JSON`);
    const members = Object.entries(value).filter(([, inner]) => inner !== undefined); // as JSON.stringify does
    return `{${members
      .map(([key, inner]) => `${JSON.stringify(key)}:${this.encode(inner, `${at}/${pointerToken(key)}`, depth + 1)}`)
      .join(",")}}`;
  }

  #hinted(hint: Hint, text: string, at: string): string {
    if (!this.allowHints) throw new TypeError(`failed to send ${at}: it is not JSON, and hints are switched off`);
    setMember(this.hints, at, hint);
    return JSON.stringify(text);
  }
}

const isSafe = (value: bigint) => value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;

/** Turns the strings that `hints` point at into what they stand for. Throws `DirtyProtocolError` on a hint that lies. */
export function applyHints(message: object, root: "result" | "data", hints: Hints): void {
  for (const [pointer, hint] of Object.entries(hints)) {
    const path = pointer.split("/").slice(1).map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = path.pop();
    let holder: unknown = message;
    for (const key of path) holder = memberOf(holder, key);
    const text = last === undefined ? undefined : memberOf(holder, last);
    const value = (path[0] ?? last) === root && typeof text === "string" ? decoded(text, hint) : undefined;
    if (value === undefined) throw badHint(pointer, hint);
    setMember(holder as object, last!, value);
  }
}

function memberOf(holder: unknown, key: string): unknown {
  if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, key)) return undefined;
  if (Array.isArray(holder) && !/^(0|[1-9]\d*)$/.test(key)) return undefined;
  return (holder as Record<string, unknown>)[key];
}

const floats = new Map([NaN, Infinity, -Infinity].map((value) => [String(value), value]));

function decoded(text: string, hint: Hint): Value | undefined {
  if (hint === "base64") {
    const bytes = Buffer.from(text, "base64");
    return bytes.toString("base64") === text ? new Uint8Array(bytes) : undefined;
  }
  if (hint === "float") return floats.get(text);
  if (!/^-?\d+$/.test(text)) return undefined;
  const integer = BigInt(text);
  return isSafe(integer) ? Number(integer) : integer;
}

function badHint(pointer: string, hint: Hint): DirtyProtocolError {
  return badMessage(`the hint "${hint}" does not fit what is at ${pointer}`, pointer, "VAL-5");
}
