export type JsonSchema = Readonly<Record<string, unknown>>;

/** What every LLM client takes (see docs/adr): all else in a published schema is refused at start. */
const PORTABLE_KEYWORDS = new Set([
  "type",
  "properties",
  "required",
  "items",
  "enum",
  "description",
  "additionalProperties",
  "minimum",
  "maximum",
  "minItems",
  "maxItems",
  "default",
]);
const PORTABLE_TYPES = new Set(["object", "array", "string", "number", "integer", "boolean"]);
const MAX_DEPTH = 6;

/** Everything in a tool's schema that some client would refuse or ignore; empty when it is portable. */
export function portabilityFindings(schema: JsonSchema): readonly string[] {
  const findings: string[] = [];
  if (schema["type"] !== "object") findings.push("root: must be an object");
  visit(schema, "root", 0, findings);
  return findings;
}

function visit(schema: unknown, path: string, depth: number, findings: string[]): void {
  if (!isRecord(schema)) {
    findings.push(`${path}: is not a schema object`);
    return;
  }
  if (depth > MAX_DEPTH) findings.push(`${path}: nested deeper than ${MAX_DEPTH}`);
  for (const keyword of Object.keys(schema)) {
    if (!PORTABLE_KEYWORDS.has(keyword)) findings.push(`${path}: keyword ${keyword}`);
  }
  const { type } = schema;
  if (typeof type !== "string" || !PORTABLE_TYPES.has(type)) findings.push(`${path}: type ${JSON.stringify(type)}`);
  if (type === "array") visit(schema["items"], `${path}[]`, depth + 1, findings);
  if ("enum" in schema) visitEnum(schema["enum"], type, path, findings);
  const { properties } = schema;
  if (properties === undefined) return;
  for (const [name, property] of Object.entries(isRecord(properties) ? properties : {})) {
    visit(property, `${path}.${name}`, depth + 1, findings);
  }
}

function visitEnum(values: unknown, type: unknown, path: string, findings: string[]): void {
  const strings = Array.isArray(values) && values.length > 0 && values.every((value) => typeof value === "string");
  if (type !== "string" || !strings) findings.push(`${path}: an enum must list strings`);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
