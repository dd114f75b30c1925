import type { Intake } from "./source.ts";
import { isSprintField } from "./sprint-field.ts";
import { isObject, nameOf, namesOf, pointsOf } from "./values.ts";
import type { JsonObject } from "./values.ts";

const STORY_POINT_NAMES = ["story points", "story point estimate"];
const EPIC_LINK_NAMES = ["epic link"];
const FLAGGED_NAMES = ["flagged"];
/** Where Jira Cloud creates the fields by itself; used only when nothing names them, and reported. */
const USUAL_STORY_POINTS = ["customfield_10016", "customfield_10026", "customfield_10028"];
const USUAL_EPIC_LINK = "customfield_10014";
const ISSUE_KEY = /^[A-Z][A-Z0-9_]*-\d+$/;

/** What is known about a tracker's custom fields: ids by name, as far as the input tells them. */
export class JiraFields {
  readonly #idsOfName = new Map<string, Set<string>>();
  readonly #storyPointsField: string | null;

  /** `storyPointsField`: the operator's, an id or a name. */
  constructor(storyPointsField: string | null = null) {
    this.#storyPointsField = storyPointsField;
  }

  /** Learns that the field `id` is called `name`. */
  learn(id: string, name: string): void {
    const key = name.trim().toLowerCase();
    const ids = this.#idsOfName.get(key) ?? new Set();
    this.#idsOfName.set(key, ids.add(id));
  }

  /** Learns a `names` object: `{ "customfield_10002": "Story Points" }`. */
  learnNames(names: unknown): void {
    if (!isObject(names)) return;
    for (const [id, name] of Object.entries(names)) if (typeof name === "string") this.learn(id, name);
  }

  /** The issue's story points: the operator's field, else the named ones, else where Jira Cloud usually has them. */
  storyPoints(fields: JsonObject, place: string, intake: Intake): number | null {
    const own = this.#storyPointsField;
    const ids = own === null ? this.#ids(STORY_POINT_NAMES) : [own, ...this.#ids([own.toLowerCase()])];
    for (const id of ids) if (fields[id] !== null && fields[id] !== undefined) return pointsOf(fields[id], place, intake);
    if (ids.length > 0) return null;
    const usual = USUAL_STORY_POINTS.find((id) => typeof fields[id] === "number");
    if (usual === undefined) return null;
    intake.warn(`story points were read from ${usual}, which nothing names; if that is wrong, set story_points_field`, place);
    return pointsOf(fields[usual], place, intake);
  }

  /** The issue's epic: an agile `epic` object, the epic link field, or a parent that is an epic. */
  epicKey(fields: JsonObject): string | null {
    const epic = fields["epic"];
    if (isObject(epic) && nameOf(epic["key"]) !== null) return nameOf(epic["key"]);
    for (const id of [...this.#ids(EPIC_LINK_NAMES), USUAL_EPIC_LINK]) {
      const key = nameOf(fields[id]);
      if (key !== null && ISSUE_KEY.test(key)) return key;
    }
    const parent = fields["parent"];
    return isObject(parent) && isEpic(parent["fields"]) ? nameOf(parent["key"]) : null;
  }

  /** True when the issue carries a flag today. */
  isFlagged(fields: JsonObject): boolean {
    return ["flagged", ...this.#ids(FLAGGED_NAMES)].some((id) => {
      const value = fields[id];
      return value === true || namesOf(value).some((name) => name !== "false");
    });
  }

  /** Every value of the issue that holds sprints. */
  sprintValues(fields: JsonObject): unknown[] {
    const agile = [fields["sprint"], fields["closedSprints"]].filter((value) => value !== null && value !== undefined);
    const custom = Object.entries(fields).filter(([id, value]) => id.startsWith("customfield_") && isSprintField(value));
    return [...custom.map(([, value]) => value), ...agile];
  }

  #ids(names: readonly string[]): string[] {
    return names.flatMap((name) => [...(this.#idsOfName.get(name) ?? [])]);
  }
}

function isEpic(fields: unknown): boolean {
  const type = isObject(fields) ? fields["issuetype"] : null;
  return isObject(type) && (type["hierarchyLevel"] === 1 || nameOf(type["name"])?.toLowerCase() === "epic");
}
