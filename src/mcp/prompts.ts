import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import type { GetPromptResult, McpServer } from "@modelcontextprotocol/server";
import type { Catalog } from "../catalog/catalog.ts";
import { isRecord } from "./json-schema.ts";
import type { PromptDefinition } from "./prompt-files.ts";
import { standardSchema } from "./standard-schema.ts";
import type { PublishedSchema } from "./standard-schema.ts";

const MAX_ARGUMENT_CHARACTERS = 2000;

/** A prompt with its arguments' schema, built once. */
export interface ReadyPrompt {
  readonly definition: PromptDefinition;
  readonly arguments: PublishedSchema;
}

/** Proves that what prompts complete from exists in the catalog. Throws an Error naming the prompt. */
export function readyPrompts(prompts: readonly PromptDefinition[], catalog: Catalog): readonly ReadyPrompt[] {
  return prompts.map((definition) => {
    for (const { name, completes } of definition.arguments) {
      const known = completes === undefined || completes === "metrics" || completes === "dimensions" || catalog.dimensions.has(completes);
      if (!known)
        throw new Error(
          `prompt ${definition.name}: argument ${name} completes from ${completes}, which is neither metrics, dimensions nor a dimension`,
        );
    }
    return { definition, arguments: argumentsSchema(definition) };
  });
}

export function registerPrompts(server: McpServer, prompts: readonly ReadyPrompt[]): void {
  for (const prompt of prompts) {
    const { name, title, description } = prompt.definition;
    server.registerPrompt(name, { title, description, argsSchema: prompt.arguments }, (input): GetPromptResult => ({
      description,
      messages: [{ role: "user", content: { type: "text", text: filled(prompt.definition, isRecord(input) ? input : {}) } }],
    }));
  }
}

function argumentsSchema(definition: PromptDefinition): PublishedSchema {
  return standardSchema({
    type: "object",
    properties: Object.fromEntries(definition.arguments.map(({ name, description }) => [name, { type: "string", description }])),
    required: definition.arguments.filter((argument) => argument.required).map((argument) => argument.name),
  });
}

/** The prompt's text with the arguments in their places. Throws a ProtocolError for a missing or unusable one. */
function filled(definition: PromptDefinition, input: Readonly<Record<string, unknown>>): string {
  const known = definition.arguments.map((argument) => argument.name);
  const unknown = Object.keys(input).filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw invalid(`prompt ${definition.name} has no argument ${unknown.join(", ")}; it has: ${known.join(", ") || "none"}`);
  const values = new Map(definition.arguments.map((argument) => [argument.name, valueOf(definition, argument, input[argument.name])]));
  return definition.body.replace(/\{\{(\w+)\}\}/g, (_, name: string) => values.get(name) ?? "");
}

function valueOf(definition: PromptDefinition, argument: PromptDefinition["arguments"][number], value: unknown): string {
  if (value === undefined || value === null || value === "") {
    if (argument.required) throw invalid(`prompt ${definition.name} needs ${argument.name}: ${argument.description}`);
    return argument.default ?? "(not given)";
  }
  if (typeof value !== "string" || value.length > MAX_ARGUMENT_CHARACTERS) {
    throw invalid(`argument ${argument.name} of prompt ${definition.name} must be text of at most ${MAX_ARGUMENT_CHARACTERS} characters`);
  }
  return value;
}

function invalid(message: string): ProtocolError {
  return new ProtocolError(ProtocolErrorCode.InvalidParams, message);
}
