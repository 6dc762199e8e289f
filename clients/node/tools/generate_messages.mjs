// Makes src/messages.ts from schemas/dirty-v1.schema.json: the types of the messages, and the same for the checker.
//
//     node tools/generate_messages.mjs            rewrites it
//     node tools/generate_messages.mjs --check    says whether it is up to date
//
// It understands the part of JSON Schema that the file uses, and refuses every keyword it does not know.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const source = new URL("../../../schemas/dirty-v1.schema.json", import.meta.url);
const target = fileURLToPath(new URL("../src/messages.ts", import.meta.url));
const WORDS = ["title", "description", "examples", "default"]; // for people
const KNOWN = [
  ...WORDS, "type", "const", "enum", "$ref", "anyOf", "properties", "required", "items", "additionalProperties",
  "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum",
];

const schema = JSON.parse(readFileSync(source, "utf8"));
const nameOf = (node) => node.$ref.replace("#/$defs/", "");
// The type of any value is written by hand: here a value may be what JSON lacks, too.
const HAND_WRITTEN = new Map([["JsonValue", "Value"]]);

function type(node) {
  if (node.$ref) return HAND_WRITTEN.get(nameOf(node)) ?? nameOf(node);
  if (node.anyOf) return node.anyOf.map(type).join(" | ");
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum) return node.enum.map((it) => JSON.stringify(it)).join(" | ");
  if (node.examples) return [...node.examples.map((it) => JSON.stringify(it)), "(string & {})"].join(" | ");
  if (node.type === "array") return `${type(node.items)}[]`;
  if (node.type === "object" && !node.properties) return `Record<string, ${type(node.additionalProperties)}>`;
  return { string: "string", number: "number", integer: "number", boolean: "boolean", null: "null" }[node.type];
}

function check(node, place) {
  for (const key of Object.keys(node)) {
    if (!KNOWN.includes(key)) throw new Error(`failed to generate ${place}: the keyword "${key}" is not known here`);
  }
  const inner = [...Object.entries(node.properties ?? {}), ["items", node.items], ["*", node.additionalProperties],
    ...(node.anyOf ?? []).map((it, index) => [index, it])];
  for (const [key, child] of inner) if (child instanceof Object) check(child, `${place}/${key}`);
}

function declaration(name, node) {
  const doc = (text, indent) => `${indent}/** ${text} */\n`;
  if (!node.properties) return `${doc(node.description, "")}export type ${name} = ${type(node)};\n`;
  const members = Object.entries(node.properties).map(([key, member]) => {
    const mark = node.required?.includes(key) ? "" : "?";
    return `${doc(member.description, "  ")}  ${key}${mark}: ${type(member)};\n`;
  });
  const open = node.additionalProperties === true ? "  [member: string]: unknown;\n" : "";
  return `${doc(node.description, "")}export interface ${name} {\n${members.join("")}${open}}\n`;
}

// What the checker reads: the schema without the words for people.
const bare = (node, properties = false) =>
  Array.isArray(node) ? node.map((it) => bare(it))
  : node instanceof Object
    ? Object.fromEntries(Object.entries(node).filter(([key]) => properties || !WORDS.includes(key))
        .map(([key, value]) => [key, bare(value, key === "properties")]))
  : node;

// Which requirement a wrong member breaks: the first that its description names (schemas/README.md).
const requirements = {};
const definitions = {};
const declarations = [];
for (const [name, node] of Object.entries(schema.$defs)) {
  check(node, name);
  definitions[name] = bare(node);
  for (const [key, member] of Object.entries(node.properties ?? {})) {
    (requirements[name] ??= {})[key] = member.description.match(/[A-Z]+-\d+/)[0];
  }
  if (!HAND_WRITTEN.has(name)) declarations.push(declaration(name, node));
}
const messages = schema.oneOf.map(nameOf);
const byType = Object.fromEntries(messages.map((name) => [schema.$defs[name].properties.type.const, name]));

const text = `// Made by tools/generate_messages.mjs from schemas/dirty-v1.schema.json. Do not edit.

import type { Value } from "./values.js";

${declarations.join("\n")}
/** ${schema.description} */
export type DirtyMessage = ${messages.join(" | ")};

/** The definitions of the schema, for the checker. */
export const definitions = ${JSON.stringify(definitions, null, 2)} as const;

/** The name of each message type's definition. */
export const messageTypes = ${JSON.stringify(byType, null, 2)} as const;

/** The requirement that a wrong member breaks, by definition and member. */
export const requirements = ${JSON.stringify(requirements, null, 2)} as const;
`;

if (process.argv[2] === "--check") {
  if (readFileSync(target, "utf8") !== text) {
    console.error("src/messages.ts is not what the schema says: run `npm run generate`");
    process.exit(1);
  }
} else writeFileSync(target, text);
