import type { ToolAnnotations } from "@modelcontextprotocol/server";
import type { z } from "zod";
import type { CallOptions, Pipeline } from "../pipeline.ts";
import { toJsonSchema } from "../spec/json-schema.ts";
import type { Principal } from "../tenant.ts";
import type { Answer } from "./answer.ts";
import { parseInput } from "./input.ts";
import { portabilityFindings } from "./json-schema.ts";
import type { JsonSchema } from "./json-schema.ts";

/** One call of a tool: who asks, what answers, and how it is bounded and followed. */
export interface ToolCall {
  readonly principal: Principal;
  readonly pipeline: Pipeline;
  readonly options: CallOptions;
}

/** A tool ready to be listed and called: its schemas are built, once. */
export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly annotations: ToolAnnotations;
  readonly inputSchema: JsonSchema;
  /** Absent: it answers no structured content. */
  readonly outputSchema?: JsonSchema;
  /** The page that shows its answers in clients that have such pages. */
  readonly app?: string;
  /** Throws AppError. */
  readonly handle: (input: unknown, call: ToolCall) => Promise<Answer>;
}

/** A tool's arguments: what is published of them, and how they are read. */
export interface ToolInput<T> {
  readonly published: JsonSchema;
  /** Throws SPEC_INVALID with every problem. */
  readonly parse: (input: unknown) => T;
}

interface ToolParts<T> {
  readonly name: string;
  readonly title: string;
  /** For a model: what it answers and when to use it. */
  readonly description: string;
  /** Read-only unless said otherwise. */
  readonly annotations?: ToolAnnotations;
  readonly input: ToolInput<T>;
  readonly output?: JsonSchema;
  readonly app?: string;
  readonly handle: (input: T, call: ToolCall) => Promise<Answer>;
}

const READ_ONLY: ToolAnnotations = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };

/** Builds a tool. Throws when a schema is not one that every client takes. */
export function defineTool<T>(tool: ToolParts<T>): Tool {
  const { name, title, description, annotations = READ_ONLY, input, output, app, handle } = tool;
  for (const schema of [input.published, ...(output === undefined ? [] : [output])]) {
    const findings = portabilityFindings(schema);
    if (findings.length > 0) throw new Error(`tool ${name}: ${findings.join("; ")}`);
  }
  return {
    name,
    title,
    description,
    annotations,
    inputSchema: input.published,
    ...(output === undefined ? {} : { outputSchema: output }),
    ...(app === undefined ? {} : { app }),
    handle: async (raw, call) => handle(input.parse(raw), call),
  };
}

/** Arguments that are a zod object: published from it and parsed by it, null meaning absent. */
export function zodInput<S extends z.ZodObject>(schema: S): ToolInput<z.output<S>> {
  return { published: toJsonSchema(schema), parse: (input) => parseInput(schema, input) };
}

/** Arguments that a later stage parses. */
export function publishedInput(published: JsonSchema): ToolInput<unknown> {
  return { published, parse: (input) => input };
}

/** The envelope as a schema: small, because clients pay for it in every conversation. */
export function envelopeSchema(data: string): JsonSchema {
  return {
    type: "object",
    properties: {
      success: { type: "boolean" },
      data: { type: "object", description: data },
      meta: { type: "object" },
      error: { type: "object" },
    },
    required: ["success"],
  };
}
