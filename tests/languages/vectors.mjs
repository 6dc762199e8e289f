// Judges the vectors of the layer `schema` with Ajv in strict mode. What depends on the text of a message is left to
// programs whose parser shows it; here only texts that are no JSON at all are judged, and the rest is counted.
//
//     node tests/languages/vectors.mjs [FOLDER_WITH_NODE_MODULES]     (needs: npm ci in tests/languages)
//
// Exit status 0: every verdict and every place agree.

import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const schemas = join(here, "..", "..", "schemas");
const require = createRequire(join(process.argv[2] ?? here, "package.json"));
const { Ajv2020 } = require("ajv/dist/2020");

const load = (...path) => JSON.parse(readFileSync(join(schemas, ...path), "utf8"));

// Strict mode refuses every unknown keyword; JsonValue, which has every type, is the one union of types.
const compile = (schema) => new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }).compile(schema);
const isMessage = compile(load("dirty-v1.schema.json"));
const single = new Map(
  readdirSync(join(schemas, "v1")).map((name) => [name.split(".")[0], compile(load("v1", name))]),
);

const control = load("control-v1.schema.json");
const isControl = compile(control);
// One definition says where in a message a fault is; the root could only say that nothing fits.
const definition = (name) => compile({ $ref: `#/$defs/${name}`, $defs: control.$defs });
const controlSingle = new Map(
  ["status", "manage", "response", "error"].map((type) => [
    type,
    definition(`${type[0].toUpperCase()}${type.slice(1)}Message`),
  ]),
);

const escape = (token) => token.replaceAll("~", "~0").replaceAll("/", "~1");

/** The places at which a message breaks the schema of its type; none if it is a message. */
function faults(message, types = single, root = isMessage) {
  const judge = types.get(message?.type);
  if (judge === undefined) return root(message) ? [] : ["/type"];
  const valid = judge(message);
  if (root(message) !== valid) throw new Error("the two schemas disagree");
  const place = ({ instancePath, keyword, params }) =>
    keyword === "required" ? `${instancePath}/${escape(params.missingProperty)}` : instancePath;
  // That a condition is broken says the error inside it, with its place.
  const errors = (valid ? [] : judge.errors).filter(({ keyword }) => keyword !== "if");
  return [...new Set(errors.map(place))];
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const problems = [];
const count = { schema: 0, text: 0, left: 0 };
for (const folder of ["valid", "invalid", "control/valid", "control/invalid"]) {
  const isValid = folder.endsWith("/valid") || folder === "valid";
  const judges = folder.startsWith("control/") ? [controlSingle, isControl] : [single, isMessage];
  for (const name of readdirSync(join(schemas, "vectors", folder))) {
    const vector = load("vectors", folder, name);
    if (vector.layer === "text") {
      if (isJson(vector.text)) {
        count.left += 1;
      } else {
        count.text += 1;
        if (isValid) problems.push(`${folder}/${name}: not JSON`);
      }
      continue;
    }
    count.schema += 1;
    const found = faults(vector.message, ...judges);
    const expected = isValid ? [] : [vector.pointer];
    if (JSON.stringify(found) !== JSON.stringify(expected)) {
      problems.push(`${folder}/${name}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
    }
  }
}
for (const problem of problems) console.log(problem);
console.log(
  `node: ${count.schema} vectors by schema, ${count.text} by text, ` +
    `${count.left} left to programs that see the text, ${problems.length} problems`,
);
process.exitCode = problems.length > 0 || count.schema === 0 ? 1 : 0;
