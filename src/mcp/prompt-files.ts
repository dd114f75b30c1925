import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { load } from "js-yaml";
import { z } from "zod";

const argumentSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,31}$/, "argument names are lower_snake_case"),
  description: z.string().min(1),
  required: z.boolean().default(false),
  /** What a client may offer while the argument is typed: `metrics`, `dimensions`, or the values of the named dimension. */
  completes: z.string().optional(),
  /** Stands in the text when the argument is absent. */
  default: z.string().optional(),
});

const frontMatterSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, "prompt names are lower_snake_case"),
  title: z.string().min(1),
  description: z.string().min(1),
  arguments: z.array(argumentSchema).default([]),
});

/** One prompt of the `prompts/` folder. */
export interface PromptDefinition extends z.output<typeof frontMatterSchema> {
  /** The text with `{{argument}}` where an argument goes. */
  readonly body: string;
}

/** Reads every prompt in `directory`, by name. Throws an Error naming the file that is wrong. */
export async function loadPrompts(directory: string): Promise<readonly PromptDefinition[]> {
  const files = (await readdir(directory)).filter((name) => name.endsWith(".md")).toSorted();
  const prompts = await Promise.all(files.map(async (file) => parsePrompt(await readFile(join(directory, file), "utf8"), file)));
  const seen = new Map<string, string>();
  for (const [at, prompt] of prompts.entries()) {
    const file = files[at] ?? "";
    const other = seen.get(prompt.name);
    if (other !== undefined) throw new Error(`prompts/${file}: ${prompt.name} is also the name of prompts/${other}`);
    seen.set(prompt.name, file);
  }
  return prompts.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Reads one prompt. Throws an Error naming `file`. */
export function parsePrompt(source: string, file: string): PromptDefinition {
  const parts = /^---\r?\n([\s\S]*?)\r?\n---\r?\n([\s\S]*)$/.exec(source);
  if (parts?.[1] === undefined || parts[2] === undefined) throw new Error(`prompts/${file}: begins with no front matter between --- lines`);
  const parsed = frontMatterSchema.safeParse(readYaml(parts[1], file));
  if (!parsed.success)
    throw new Error(`prompts/${file}: ${parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ")}`);
  const body = parts[2].trim();
  const declared = new Set(parsed.data.arguments.map((argument) => argument.name));
  const used = new Set([...body.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? ""));
  for (const name of used) if (!declared.has(name)) throw new Error(`prompts/${file}: {{${name}}} is not among its arguments`);
  for (const name of declared) if (!used.has(name)) throw new Error(`prompts/${file}: argument ${name} is not used in its text`);
  if (body === "") throw new Error(`prompts/${file}: has no text`);
  return { ...parsed.data, body };
}

function readYaml(text: string, file: string): unknown {
  try {
    return load(text);
  } catch (error) {
    throw new Error(`prompts/${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
