import type { AllowList } from "../tenant.ts";

const MAX_NAMES = 1000;
const MAX_CHARACTERS = 200;

/**
 * What claims narrow a principal to: each of `metrics`, `projects`, `instances` an array of texts or one text with
 * spaces. Undefined for anything else: a limit that cannot be read must not become none.
 */
export function allowListOfClaims(claims: Readonly<Record<string, unknown>>): AllowList | undefined {
  const [metrics, projects, instances] = (["metrics", "projects", "instances"] as const).map((name) =>
    Object.hasOwn(claims, name) ? namesOf(claims[name]) : null,
  );
  if (metrics === undefined || projects === undefined || instances === undefined) return undefined;
  return allowListOf({ metrics, projects, instances });
}

/** Null narrows nothing, an empty list leaves nothing. */
export function allowListOf(lists: { readonly [K in keyof Required<AllowList>]: readonly string[] | null }): AllowList {
  const { metrics, projects, instances } = lists;
  return {
    ...(metrics === null ? {} : { metrics }),
    ...(projects === null ? {} : { projects }),
    ...(instances === null ? {} : { instances }),
  };
}

function namesOf(claim: unknown): readonly string[] | undefined {
  const names: unknown = typeof claim === "string" ? claim.split(" ").filter((name) => name !== "") : claim;
  if (!Array.isArray(names) || names.length > MAX_NAMES) return undefined;
  return names.every((name): name is string => typeof name === "string" && name !== "" && name.length <= MAX_CHARACTERS)
    ? names
    : undefined;
}
