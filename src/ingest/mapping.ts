import { loadAll } from "js-yaml";
import { z } from "zod";
import type { StatusCategory } from "./source.ts";

const category = z
  .enum(["new", "in_progress", "done", "indeterminate"], {
    error: "a category is new, in_progress or done",
  })
  .transform((value): StatusCategory => (value === "indeterminate" ? "in_progress" : value));

const status = z.union(
  [
    category.transform((value) => ({ category: value, blocked: false })),
    z.strictObject({ category: category.optional(), blocked: z.boolean().default(false) }),
  ],
  { error: "a status is a category (new, in_progress, done) or { category, blocked }" },
);

const names = z.array(z.string().trim().min(1)).min(1);

const mappingSchema = z.strictObject({
  statuses: z.record(z.string().trim().min(1), status).default({}),
  bug_types: names.optional(),
  escape_labels: names.optional(),
  story_points_field: z.string().trim().min(1).optional(),
  base_url: z.url({ protocol: /^https?$/, error: "base_url is the tracker's http or https address" }).optional(),
});

/** What the operator says about one status; no category: leave that to the tracker. */
export interface StatusMapping {
  readonly category: StatusCategory | null;
  readonly isBlocked: boolean;
}

/** An operator's `--mapping` file. Absent lists leave the instance's settings as they are. */
export interface Mapping {
  /** By status id or name; names ignore case. */
  readonly statuses: ReadonlyMap<string, StatusMapping>;
  readonly bugTypes: readonly string[] | null;
  readonly escapeLabels: readonly string[] | null;
  /** The tracker's field that holds story points: its id or its name. */
  readonly storyPointsField: string | null;
  /** Where people open the tracker: answers link to issues under it. */
  readonly baseUrl: string | null;
}

/** A mapping file that cannot be used; the message says where and what is allowed. */
export class MappingProblem extends Error {
  override readonly name = "MappingProblem";
}

/** The key under which a status id or name stands in a mapping. */
export function mappingKey(idOrName: string): string {
  return idOrName.trim().toLowerCase();
}

/** Parses the text of a mapping file, JSON or YAML. Throws MappingProblem with every finding. */
export function parseMapping(text: string): Mapping {
  let raw: unknown;
  try {
    // `load` refuses a file without any content; here that says nothing, which is allowed.
    raw = loadAll(text)[0];
  } catch (error) {
    throw new MappingProblem(`the mapping is neither JSON nor YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
  const result = mappingSchema.safeParse(raw ?? {});
  if (!result.success) {
    const findings = result.error.issues.map(({ path, message }) => `${path.join(".") || "the mapping"}: ${message}`);
    throw new MappingProblem(findings.join("; "));
  }
  const { data } = result;
  const statuses = Object.entries(data.statuses).map(([key, value]): [string, StatusMapping] => [
    mappingKey(key),
    { category: value.category ?? null, isBlocked: value.blocked },
  ]);
  return {
    statuses: new Map(statuses),
    bugTypes: data.bug_types ?? null,
    escapeLabels: data.escape_labels ?? null,
    storyPointsField: data.story_points_field ?? null,
    baseUrl: data.base_url ?? null,
  };
}
