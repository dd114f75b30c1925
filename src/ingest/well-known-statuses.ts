import type { StatusCategory } from "./source.ts";

const NAMES: { readonly [Category in StatusCategory]: readonly string[] } = {
  new: ["open", "to do", "reopened"],
  in_progress: ["in progress", "in review", "patch available"],
  done: ["resolved", "closed", "done"],
};

const CATEGORY_OF: ReadonlyMap<string, StatusCategory> = new Map(
  (Object.entries(NAMES) as [StatusCategory, readonly string[]][]).flatMap(([category, names]) =>
    names.map((name): [string, StatusCategory] => [name, category]),
  ),
);

/** The category of a status that only its name tells (docs/catalog.md, ground rules); ignores case. Null: anybody's guess. */
export function wellKnownCategory(name: string): StatusCategory | null {
  return CATEGORY_OF.get(name.trim().toLowerCase()) ?? null;
}
