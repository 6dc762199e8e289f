import { badMessage, pointerToken } from "./json.js";
import { definitions, messageTypes, requirements } from "./messages.js";
import type { DirtyMessage } from "./messages.js";

// The keywords that the schema uses; `tools/generate_messages.mjs` refuses any other.
interface Shape {
  readonly $ref?: string;
  readonly anyOf?: readonly Shape[];
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly additionalProperties?: boolean | Shape;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
}

const shapes: Readonly<Record<string, Shape>> = definitions;

const reserved = ["status", "manage", "stash"];

/** The object as a message of the schema. Throws `DirtyProtocolError` with the place of what is wrong. */
export function checkMessage(message: Record<string, unknown>): DirtyMessage {
  const { type } = message;
  if (typeof type !== "string" || !type.isWellFormed()) throw badMessage("there is no string `type`", "/type", "MSG-1");
  if (reserved.includes(type)) throw badMessage(`the type ${type} belongs to the control socket`, "/type", "EXT-1");
  if (!Object.hasOwn(messageTypes, type)) throw badMessage("its `type` is unknown", "/type", "MSG-11");
  const name = messageTypes[type as keyof typeof messageTypes];
  const wrong = fault(message, shapes[name]!, "");
  if (wrong !== undefined) throw badMessage(`the value at ${wrong} does not fit`, wrong, requirementOf(name, wrong));
  return message as unknown as DirtyMessage;
}

// The pointer to what does not fit the shape, if anything does not.
function fault(value: unknown, shape: Shape, at: string): string | undefined {
  if (shape.$ref !== undefined) return fault(value, shapes[shape.$ref.replace("#/$defs/", "")]!, at);
  if (shape.anyOf) return shape.anyOf.some((it) => fault(value, it, at) === undefined) ? undefined : at;
  if (shape.type !== undefined && ![shape.type].flat().some((it) => hasType(value, it as string))) return at;
  if (shape.const !== undefined && value !== shape.const) return at;
  if (shape.enum && !shape.enum.includes(value)) return at;
  if (typeof value === "string") return fitsString(value, shape) ? undefined : at;
  if (typeof value === "number" || typeof value === "bigint") return fitsNumber(value, shape) ? undefined : at;
  if (Array.isArray(value)) return shape.items && first(value.entries(), () => shape.items, at);
  if (typeof value !== "object" || value === null) return undefined;
  const missing = shape.required?.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return `${at}/${pointerToken(missing)}`;
  const others = typeof shape.additionalProperties === "object" ? shape.additionalProperties : undefined;
  const own = (name: string) => (Object.hasOwn(shape.properties ?? {}, name) ? shape.properties![name] : others);
  return first(Object.entries(value), own, at);
}

function first<K extends string | number>(
  members: Iterable<[K, unknown]>,
  shapeOf: (key: K) => Shape | undefined,
  at: string,
): string | undefined {
  for (const [key, value] of members) {
    const shape = shapeOf(key);
    if (shape === undefined) continue;
    if (typeof key === "string" && !key.isWellFormed()) return at; // the names in kwargs, meta and hints are no payload
    if (shape.$ref === "#/$defs/JsonValue") continue;
    const wrong = fault(value, shape, `${at}/${pointerToken(String(key))}`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function hasType(value: unknown, type: string): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return Number.isInteger(value) || typeof value === "bigint";
    case "number":
      return typeof value === "number" || typeof value === "bigint";
    default:
      return typeof value === type;
  }
}

// Lengths count characters, and half of a surrogate pair is none.
function fitsString(value: string, { minLength, maxLength }: Shape): boolean {
  if (!value.isWellFormed()) return false;
  if (value.length < (minLength ?? 0)) return false;
  return maxLength === undefined || value.length <= maxLength || [...value].length <= maxLength;
}

function fitsNumber(value: number | bigint, { minimum, maximum, exclusiveMinimum }: Shape): boolean {
  return value >= (minimum ?? -Infinity) && value <= (maximum ?? Infinity) && value > (exclusiveMinimum ?? -Infinity);
}

function requirementOf(name: string, pointer: string): string {
  const [member, inner, detail] = pointer.split("/").slice(1);
  const known = requirements as Record<string, Record<string, string>>;
  if (member === "error" && detail !== undefined) return known["ErrorDetails"]?.[detail] ?? "ERR-9";
  if (member === "error" && inner !== undefined) return known["ErrorObject"]?.[inner] ?? "MSG-12";
  return known[name]?.[member ?? ""] ?? "MSG-2";
}
