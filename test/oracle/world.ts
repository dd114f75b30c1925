import fc from "fast-check";
import { parseMapping } from "../../src/ingest/mapping.ts";
import type { Source, SourceRecord } from "../../src/ingest/source.ts";
import { must } from "../../src/must.ts";
import { event, issue, sprint, status } from "../ingest/records.ts";
import type { InstanceWorld } from "./lives.ts";

/** A small tracker world with everything that real trackers do, and the circumstances in which it is asked. */
export interface World {
  readonly instances: readonly InstanceWorld[];
  readonly now: Date;
  readonly weekStart: number;
  readonly timezone: string;
}

/** Where clocks change, at midnight, by half an hour, by a whole day, and where they do not. */
export const ZONES = [
  "UTC",
  "America/New_York",
  "Europe/Prague",
  "Asia/Kolkata",
  "Pacific/Apia",
  "America/Sao_Paulo",
  "Australia/Lord_Howe",
  "America/Havana",
] as const;

/** First days of worlds: each lasts a hundred days, and some zone changes its clocks in them. */
export const EPOCHS = ["2024-02-20", "2018-10-20", "2011-12-01", "2024-09-25"] as const;
export const WORLD_DAYS = 100;

export const WORDS = {
  types: ["Bug", "Story", "Defect", "bug", null],
  priorities: ["High", "low", null],
  people: ["ada", "Ben", "Émile", null],
  statuses: ["To Do", "In Progress", "Blocked", "Waiting", "Done", "Closed", "Reopened", "Weird"],
  labels: ["ui", "UI", "Production", "escaped", "100%_a"],
  components: ["core", "api"],
  versions: ["1.0", "1.1"],
  projects: ["A", "B", "C"],
  summaries: ["Login fails", "login page", "50% off_", null],
} as const;

const MAPPINGS = [
  null,
  "statuses: { Blocked: { category: in_progress, blocked: true }, Waiting: { blocked: true } }",
  "statuses: { In Progress: new, Waiting: { category: in_progress, blocked: true }, Weird: done }\nbug_types: [Bug, bug]\nescape_labels: [UI]",
] as const;

/** Quarters of an hour since the world began: coarse, so that instants coincide with each other and with midnights. */
const quarter = fc.oneof(
  { weight: 5, arbitrary: fc.nat(WORLD_DAYS * 96) },
  { weight: 1, arbitrary: fc.nat(WORLD_DAYS).map((day) => day * 96) },
);
const maybe = <T>(value: fc.Arbitrary<T>, freq = 3) => fc.option(value, { freq });
const step = fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 6, arbitrary: fc.integer({ min: 1, max: 1500 }) });
const anyStatus = fc.constantFrom(...WORDS.statuses);

interface Life {
  readonly fields: ReturnType<typeof issue>;
  readonly events: readonly SourceRecord[];
  readonly createdAt: number;
}

const flags = fc.array(fc.tuple(step, fc.boolean()), { maxLength: 3 });
const moves = fc.array(fc.tuple(step, anyStatus, fc.boolean()), { maxLength: 7 });

function lifeOf(key: string, at: (quarter: number) => string): fc.Arbitrary<Life> {
  const fields = fc.record({
    type: fc.constantFrom(...WORDS.types),
    priority: fc.constantFrom(...WORDS.priorities),
    assignee: fc.constantFrom(...WORDS.people),
    reporter: fc.constantFrom(...WORDS.people),
    resolution: fc.constantFrom("Fixed", "Won't Fix", null),
    summary: fc.constantFrom(...WORDS.summaries),
    storyPoints: fc.constantFrom(null, null, 0, 1, 2, 3.5, 8),
    epicKey: fc.constantFrom("A-1", "B-1", null),
    labels: fc.uniqueArray(fc.constantFrom(...WORDS.labels), { maxLength: 3 }),
    components: fc.uniqueArray(fc.constantFrom(...WORDS.components), { maxLength: 2 }),
    fixVersions: fc.uniqueArray(fc.constantFrom(...WORDS.versions), { maxLength: 2 }),
    projectKey: fc.constantFrom(...WORDS.projects),
  });
  const course = fc.record({
    created: quarter,
    start: anyStatus,
    moves,
    flags,
    updated: maybe(quarter),
    resolvedAfter: maybe(step),
    hasHistory: fc.boolean(),
    last: anyStatus,
    strays: fc.boolean(),
  });
  return fc
    .tuple(fields, course)
    .map(([own, { created, start, moves: steps, flags: spells, updated, resolvedAfter, hasHistory, last, strays }]) => {
      let now = created;
      let from: string = start;
      const events: SourceRecord[] = [];
      for (const [wait, to, isOdd] of hasHistory ? steps : []) {
        now += wait;
        // Exports tell changes of one instant in odd orders: then one does not follow from the other.
        events.push(event(key, 0, { at: at(now), from: isOdd ? "To Do" : from, to }));
        from = to;
      }
      let flagged = created;
      for (const [wait, isOn] of spells) {
        flagged += wait;
        events.push(event(key, 0, { at: at(flagged), field: "flagged", from: isOn ? null : "Impediment", to: isOn ? "Impediment" : null }));
      }
      const present = strays ? last : from;
      const resolvedAt = resolvedAfter === null ? null : at((["Done", "Closed"].includes(present) ? now : created) + resolvedAfter);
      const record = issue(key, {
        ...own,
        createdAt: at(created),
        updatedAt: updated === null ? null : at(updated),
        resolvedAt,
        status: present,
      });
      return { fields: record, events, createdAt: created };
    });
}

function sprintsOf(at: (quarter: number) => string, prefix: string): fc.Arbitrary<readonly SourceRecord[]> {
  const one = fc.record({
    start: maybe(fc.nat(80), 8),
    days: fc.integer({ min: 1, max: 20 }),
    late: fc.integer({ min: -1, max: 3 }),
    state: fc.constantFrom("closed", "closed", "closed", "active", "future"),
    hasEnd: fc.boolean(),
    hasComplete: fc.boolean(),
    board: fc.constantFrom("1", "2", null),
  });
  return fc.array(one, { maxLength: 5 }).map((all) =>
    all.map(({ start, days, late, state, hasEnd, hasComplete, board }, index) => {
      const first = start === null ? null : start * 96 + 36;
      const last = (first ?? 4000) + days * 96;
      return sprint(`${index + 1}`, {
        name: index === 4 ? null : `${prefix}Sprint ${index + 1}`,
        boardId: board,
        state,
        startAt: first === null ? null : at(first),
        endAt: hasEnd ? at(last) : null,
        completeAt: hasComplete && state === "closed" ? at(last + late * 8) : null,
      });
    }),
  );
}

function staysOf(lives: readonly Life[], sprints: number, at: (quarter: number) => string): fc.Arbitrary<readonly SourceRecord[]> {
  if (lives.length === 0 || sprints === 0) return fc.constant([]);
  const stay = fc.record({ issue: fc.nat(lives.length - 1), sprint: fc.nat(sprints - 1), added: maybe(quarter), staysFor: maybe(step) });
  return fc.array(stay, { maxLength: 60 }).map((all) =>
    all.map((one): SourceRecord => {
      const end = one.staysFor === null ? null : (one.added ?? 0) + one.staysFor;
      const key = lives[one.issue]?.fields.key ?? "";
      const removedAt = end === null ? null : at(end);
      return {
        kind: "sprint_issue",
        place: "world",
        sprintId: `${one.sprint + 1}`,
        issueKey: key,
        addedAt: one.added === null ? null : at(one.added),
        removedAt,
      };
    }),
  );
}

function instanceOf(id: string, epochMs: number): fc.Arbitrary<InstanceWorld> {
  const at = (quarters: number): string => new Date(epochMs + quarters * 900_000).toISOString();
  const numbers = fc.nat(40).chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => lifeOf(`A-${index + 1}`, at))));
  return fc
    .tuple(numbers, sprintsOf(at, id), fc.constantFrom(...MAPPINGS))
    .chain(([lives, sprints, mapping]) => fc.tuple(fc.constant({ lives, sprints, mapping }), staysOf(lives, sprints.length, at)))
    .map(([{ lives, sprints, mapping }, stays]) => {
      const projects = WORDS.projects.map((key): SourceRecord => ({
        kind: "project",
        place: "world",
        key,
        name: key === "C" ? null : `Project ${key} of ${id}`,
      }));
      const listed = [status("To Do", "new"), status("In Progress", "in_progress"), status("Done", "done")];
      const records = [...projects, ...listed, ...sprints, ...lives.flatMap(({ fields, events }) => [fields, ...events]), ...stays];
      return { id, records, mapping: mapping === null ? null : parseMapping(mapping) };
    });
}

/** Worlds of one or two trackers whose keys collide. */
export const worlds: fc.Arbitrary<World> = fc.constantFrom(...EPOCHS).chain((epoch) => {
  const epochMs = Date.parse(`${epoch}T00:00:00Z`);
  return fc.record({
    instances: fc
      .tuple(instanceOf("one", epochMs), fc.option(instanceOf("two", epochMs), { freq: 2 }))
      .map((all) => all.filter((one) => one !== null)),
    now: fc.integer({ min: 60 * 96, max: 130 * 96 }).map((quarters) => new Date(epochMs + quarters * 900_000)),
    weekStart: fc.constantFrom(1, 7, 6),
    timezone: fc.constantFrom(...ZONES),
  });
});

/** Of the worlds that `seed` draws one with two full trackers. */
export function largestWorld(seed: number): World {
  const size = (world: World): number => Math.min(...world.instances.map((one) => one.records.length)) * world.instances.length;
  return must(fc.sample(worlds, { seed, numRuns: 40 }).toSorted((a, b) => size(b) - size(a))[0], "a world");
}

export function sourceOf(world: InstanceWorld): Source {
  return {
    kind: "neutral",
    async *read() {
      yield* world.records;
    },
  };
}
