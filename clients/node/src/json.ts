import { DirtyProtocolError } from "./errors.js";
import { badFrame } from "./frame.js";

/** The deepest nesting that is read and written; the message itself is level 1 (VAL-3). */
export const DEPTH_LIMIT = 512;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/**
 * Reads the payload of a frame: one object (FRAME-10), no top-level member twice (MSG-6), not nested too deep (VAL-3).
 * An integer beyond ±(2^53 − 1) becomes a `bigint`, so that none is rounded.
 */
export function parsePayload(payload: Buffer): Record<string, unknown> {
  let text: string;
  try {
    text = decoder.decode(payload);
  } catch {
    throw badFrame("the payload is not UTF-8", "FRAME-10", payload);
  }
  const { big, literal, repeated } = scan(text);
  let value: unknown;
  try {
    value = JSON.parse(big.length === 0 ? text : marked(text, big));
  } catch (error) {
    if (literal) throw badMessage(`the literal ${literal} is no JSON`, "", "VAL-2");
    throw badFrame(`the payload is not JSON: ${(error as Error).message}`, "FRAME-10", payload);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badFrame("the payload is not an object", "FRAME-10", payload);
  }
  if (repeated !== undefined) throw badMessage("a member occurs twice", `/${pointerToken(repeated)}`, "MSG-6");
  return (big.length === 0 ? value : unmark(value)) as Record<string, unknown>;
}

/** The error for a good frame that is no message. */
export function badMessage(what: string, pointer: string, requirement: string): DirtyProtocolError {
  return new DirtyProtocolError(`failed to read a message: ${what} (${requirement})`, { pointer, requirement });
}

interface Scan {
  /** Where the integers are that a double does not hold: start and end. */
  big: [number, number][];
  literal: string | undefined;
  /** A top-level member that occurs twice. */
  repeated: string | undefined;
}

// Looks only at what `JSON.parse` hides or cannot bear, and leaves the grammar to it.
function scan(text: string): Scan {
  const found: Scan = { big: [], literal: undefined, repeated: undefined };
  const names = new Set<string>();
  let depth = 0;
  let nameNext = false; // whether a string at this place is the name of a top-level member
  for (let at = 0; at < text.length; at += 1) {
    const first = text[at]!;
    if (first === '"') {
      const end = stringEnd(text, at);
      if (depth === 1 && nameNext) {
        const name = unescaped(text.slice(at, end));
        if (names.has(name)) found.repeated ??= name;
        names.add(name);
        nameNext = false;
      }
      at = end - 1;
    } else if (first === "{" || first === "[") {
      depth += 1;
      if (depth > DEPTH_LIMIT) throw badMessage(`more than ${DEPTH_LIMIT} levels`, "", "VAL-3");
      nameNext = depth === 1;
    } else if (first === "}" || first === "]") {
      depth -= 1;
    } else if (first === ",") {
      nameNext = depth === 1;
    } else if (first === "-" || (first >= "0" && first <= "9")) {
      let end = at + 1;
      while (end < text.length && "0123456789+-.eE".includes(text[end]!)) end += 1;
      const number = text.slice(at, end);
      if (number.length > 15 && /^-?[1-9]\d+$/.test(number) && !Number.isSafeInteger(Number(number))) {
        found.big.push([at, end]);
      }
      at = end - 1;
    } else if (first === "N" || first === "I") {
      found.literal ??= first === "N" ? "NaN" : "Infinity";
    }
  }
  return found;
}

// The place after the string that begins at `start`; a quotation mark behind an odd number of backslashes is inside.
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === "\\") backslashes += 1;
    if (backslashes % 2 === 0) return end + 1;
  }
  return text.length;
}

function unescaped(literal: string): string {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return literal; // JSON.parse of the whole text will say so
  }
}

/** One reference token of a JSON Pointer (RFC 6901). */
export function pointerToken(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

// `JSON.parse` of Node 20 does not show the text of numbers. So long integers are handed to it as strings that nobody
// can have sent, because nobody knows the mark, and are found again by it.
const mark = `${crypto.randomUUID()}:`;

function marked(text: string, big: [number, number][]): string {
  let out = "";
  let from = 0;
  for (const [start, end] of big) {
    out += `${text.slice(from, start)}"${mark}${text.slice(start, end)}"`;
    from = end;
  }
  return out + text.slice(from);
}

function unmark(value: unknown): unknown {
  if (typeof value === "string") return value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value;
  if (typeof value !== "object" || value === null) return value;
  for (const [key, inner] of Object.entries(value)) {
    const plain = unmark(inner);
    if (plain !== inner) setMember(value, key, plain);
  }
  return value;
}

/** Sets a member of any name: an assignment to `__proto__` would not. */
export function setMember(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}
