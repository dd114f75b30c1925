import type { SpecChart } from "../spec/spec.ts";
import { quoted } from "../spec/problems.ts";
import { type Field, type Frame, numberAt, valuesOf } from "./field.ts";

type WishKey = "type" | "x" | "y" | "color" | "facet";

/** Why a chart cannot be made of an answer, for whoever wished for it. */
export class Misfit extends Error {
  override readonly name = "Misfit";
  readonly path: WishKey;
  readonly allowed: readonly string[] | undefined;

  constructor(message: string, { path = "type", allowed }: { readonly path?: WishKey; readonly allowed?: readonly string[] } = {}) {
    super(message);
    this.path = path;
    this.allowed = allowed;
  }
}

/** What a chart shows where. */
export interface Roles {
  readonly x: Field | null;
  readonly y: readonly Field[];
  readonly color: Field | null;
  readonly facet: Field | null;
}

const NOTHING: SpecChart = { type: null, x: null, y: null, color: null, facet: null, title: null, theme: null };

/**
 * Hands out an answer's columns to a chart: those that were wished for, else the next that is free. Every method throws
 * Misfit where the answer has nothing that fits. Without rows (before the answer) it judges by the columns alone.
 */
export class Picker {
  readonly frame: Frame;
  readonly hasRows: boolean;
  readonly #wish: SpecChart;
  readonly #taken = new Set<number>();

  constructor(frame: Frame, { wish = NOTHING, hasRows = true }: { readonly wish?: SpecChart; readonly hasRows?: boolean } = {}) {
    this.frame = frame;
    this.hasRows = hasRows;
    this.#wish = wish;
  }

  /** The time column. */
  time(): Field {
    const time = this.#free("x", (field) => field.role === "time");
    return time ?? this.#miss("x", "needs a time grain in the spec", ["time"]);
  }

  /** What the chart runs along: the time or the first dimension. */
  axis(): Field {
    const axis = this.#free("x", isGroup);
    return axis ?? this.#miss("x", "needs a time grain or a dimension to run along");
  }

  /** A dimension to run along. */
  dimension(): Field {
    const dimension = this.#free("x", (field) => field.role === "dimension");
    return dimension ?? this.#miss("x", "needs a dimension");
  }

  /** What tells series apart; null where the answer has no further group. */
  series(): Field | null {
    return this.#free("color", isGroup) ?? null;
  }

  /** What tells series apart. */
  mustSeries(): Field {
    return this.series() ?? this.#miss("color", "needs a second dimension");
  }

  /** What the small charts are for. */
  facet(): Field | null {
    return this.#free("facet", (field) => field.role === "dimension") ?? null;
  }

  measure(): Field {
    const measure = this.#free("y", (field) => field.role === "measure");
    return measure ?? this.#miss("y", "needs a measure");
  }

  /** Measures that can share one axis: of the first one's unit, at least `min`. */
  measures(min: number, max = 6): Field[] {
    const first = this.measure();
    const rest = this.frame.fields.filter(
      (field) => field.role === "measure" && field.unit === first.unit && !this.#taken.has(field.index),
    );
    const all = [first, ...rest.slice(0, max - 1)];
    for (const { index } of all) this.#taken.add(index);
    if (all.length < min) return this.#miss("y", `needs ${min} measures of one unit${first.unit === undefined ? "" : ` (${first.unit})`}`);
    return all;
  }

  /** The next `count` measures, whatever their units. */
  anyMeasures(count: number): Field[] {
    const first = this.measure();
    const rest = this.frame.fields.filter((field) => field.role === "measure" && !this.#taken.has(field.index)).slice(0, count - 1);
    for (const { index } of rest) this.#taken.add(index);
    if (rest.length < count - 1) return this.#miss("y", `needs ${count} measures`);
    return [first, ...rest];
  }

  /** The comparison column of a measure; undefined where the spec compares nothing. */
  previousOf(measure: Field): Field | undefined {
    return this.frame.fields.find((field) => field.role === "previous" && field.of === measure.name);
  }

  /** Refuses a measure whose numbers do not add up over `over`: a ratio has no parts, and overlapping groups no whole. */
  adds(measure: Field, over: readonly (Field | null)[], what: string): void {
    const groups = over.filter((field) => field !== null);
    const isOverTime = groups.some((field) => field.role === "time");
    const overlapping = groups.find((field) => field.multiValued);
    if (measure.adds === "nowhere")
      throw new Misfit(`${what} needs a measure whose groups add up; ${measure.name} is no sum (choose a line, bar or heatmap)`);
    if (measure.adds === "over_groups" && isOverTime)
      throw new Misfit(`${what} would add up ${measure.name} over time, and it is a state at an instant`);
    if (overlapping !== undefined)
      throw new Misfit(`${what} would count issues twice: an issue may have several values of ${overlapping.name}`);
    if (this.hasRows && this.frame.rows.some((row) => (numberAt(row, measure) ?? 0) < 0))
      throw new Misfit(`${what} needs numbers that are not negative; ${measure.name} has some`);
  }

  /** Refuses more distinct values than can be told apart. */
  atMost(field: Field | null, max: number, advice: string): void {
    if (field === null || !this.hasRows) return;
    const count = valuesOf(this.frame, field).length;
    if (count > max) throw new Misfit(`${field.name} has ${count} values here, more than the ${max} that can be told apart; ${advice}`);
  }

  /** Refuses a shape of rows, once there are rows. */
  rows(isRight: (count: number) => boolean, message: string): void {
    if (this.hasRows && !isRight(this.frame.rows.length)) throw new Misfit(message);
  }

  /** Refuses an answer with groups that the chart would draw on top of each other, and wishes it has no place for. */
  done(roles: Partial<Roles>): Roles {
    const left = this.frame.fields.find((field) => isGroup(field) && !this.#taken.has(field.index));
    if (left !== undefined)
      throw new Misfit(
        `the answer has a row for each ${left.name}, which this chart has no place for; leave it out of the spec, or filter it to one value`,
      );
    return this.loose(roles);
  }

  /** As `done`, for charts that show each row for itself. */
  loose(roles: Partial<Roles>): Roles {
    const all: Roles = { x: null, y: [], color: null, facet: null, ...roles };
    for (const key of ["x", "y", "color", "facet"] as const) {
      const name = this.#wish[key];
      const given = all[key];
      const isShown = name === null || (Array.isArray(given) ? given : [given]).some((field: Field | null) => field?.name === name);
      if (!isShown) throw new Misfit(`this chart cannot show ${quoted(name ?? "")} as ${key}`, { path: key });
    }
    return all;
  }

  /** The wished-for column where it fits, else the first free one that nobody wished for elsewhere. */
  #free(key: "x" | "y" | "color" | "facet", fits: (field: Field) => boolean): Field | undefined {
    const wished = this.#wish[key];
    const elsewhere = new Set(Object.values({ ...this.#wish, [key]: null, type: null, title: null, theme: null }));
    const candidates = this.frame.fields.filter((field) => fits(field) && !this.#taken.has(field.index));
    const found =
      wished === null
        ? (candidates.find((field) => !elsewhere.has(field.name)) ?? (key === "y" ? candidates[0] : undefined))
        : candidates.find((field) => field.name === wished);
    if (wished !== null && found === undefined) {
      const allowed = candidates.map((field) => field.name);
      throw new Misfit(`${quoted(wished)} cannot be its ${key}`, { path: key, allowed });
    }
    if (found !== undefined) this.#taken.add(found.index);
    return found;
  }

  #miss(path: WishKey, message: string, allowed?: readonly string[]): never {
    throw new Misfit(message, { path, ...(allowed === undefined ? {} : { allowed }) });
  }
}

function isGroup({ role }: Field): boolean {
  return role === "time" || role === "dimension";
}
