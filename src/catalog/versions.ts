import { createHash } from "node:crypto";
import { z } from "zod";
import type { MetricDefinition } from "./definition.ts";

/** Metric → version → sha256 of its definition: what makes an unversioned change visible. */
export const recordedVersionsSchema = z.record(z.string(), z.record(z.string(), z.string()));
export type RecordedVersions = z.infer<typeof recordedVersionsSchema>;

/**
 * sha256 over what a definition means: everything but its tests, owner and deprecation notice,
 * in an order that does not depend on the file's.
 */
export function definitionHash(definition: MetricDefinition): string {
  const meaning = Object.entries(definition).filter(([key]) => !["tests", "owner", "deprecation"].includes(key));
  return sha256(canonicalJson(Object.fromEntries(meaning)));
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** JSON with sorted keys, so that equal data has equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** What is wrong with a definition's version against the record; undefined when nothing is. */
export function versionProblem(definition: MetricDefinition, recorded: RecordedVersions): string | undefined {
  const known = recorded[definition.name]?.[definition.version];
  const hash = definitionHash(definition);
  if (known === undefined) {
    return `version ${definition.version} is not recorded; run \`metricgate catalog check --record\` when the definition is final`;
  }
  if (known !== hash) {
    return `the definition changed but its version ${definition.version} did not; raise the version (major if old answers change meaning), then run \`metricgate catalog check --record\``;
  }
  return undefined;
}
