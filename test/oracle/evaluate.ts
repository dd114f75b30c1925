import { must } from "../../src/must.ts";
import type { Spec, SpecFilter, SpecMeasure } from "../../src/spec/spec.ts";
import { addDays, type Bucket, bucketsOf, type Days, earlier, instants, localDate, nextUnit, rangeDays } from "./calendar.ts";
import { holdsForScalar, passes } from "./filters.ts";
import { type InstanceWorld, readTracker } from "./lives.ts";
import { membersOf } from "./memberships.ts";
import { type Metric, metricOf } from "./metrics.ts";
import { ratio } from "./numbers.ts";
import { inOrderOf } from "./order.ts";
import { type Data, type FieldValue, fieldOf, type Row, rowsOf, spansInto } from "./rows.ts";

export type Value = string | number | null;
export type Answered = Readonly<Record<string, Value>>;

/** The whole answer in order, before the limit. */
export interface Evaluation {
  readonly rows: readonly Answered[];
  readonly totals: Answered | null;
  readonly total: number;
}

export interface Circumstances {
  readonly now: Date;
  readonly weekStart: number;
}

export function readWorld(instances: readonly InstanceWorld[]): Data {
  const trackers = instances.map(readTracker);
  return { trackers, members: trackers.flatMap(membersOf), asOfMs: Math.max(...trackers.map((tracker) => tracker.asOfMs)) };
}

/** Answers a canonical spec by looking at every record. */
export function evaluate(spec: Spec, data: Data, { now, weekStart }: Circumstances): Evaluation {
  return new Evaluator(spec, data, now, weekStart).answer();
}

/** Where a number of an answer stands: its bucket and the values of its dimensions, or null for the totals. */
export type Place = { readonly time: string | null; readonly group: readonly Value[] } | null;

/** The records behind a number, by the metric that counts them. */
export function recordsBehind(
  spec: Spec,
  data: Data,
  { now, weekStart }: Circumstances,
  { as, place }: { as: string; place: Place },
): ReadonlyMap<string, readonly Row[]> {
  return new Evaluator(spec, data, now, weekStart).behind(as, place);
}

/** What one measure counts in one bucket, by group. */
type Groups = ReadonlyMap<string, readonly Row[]>;

class Evaluator {
  readonly #spec: Spec;
  readonly #data: Data;
  readonly #whole: Days;
  readonly #weekStart: number;
  readonly #filters: readonly SpecFilter[];
  readonly #having: readonly SpecFilter[];

  constructor(spec: Spec, data: Data, now: Date, weekStart: number) {
    this.#spec = spec;
    this.#data = data;
    this.#weekStart = weekStart;
    const { time, timezone } = spec;
    const today = localDate(now.getTime(), timezone);
    this.#whole = time?.range ? rangeDays(time.range, today, weekStart) : { from: time?.from ?? null, to: time?.to ?? null };
    const names = new Set(spec.measures.map((measure) => measure.as));
    this.#filters = spec.filters.filter((filter) => !names.has(filter.field));
    this.#having = spec.filters.filter((filter) => names.has(filter.field));
  }

  answer(): Evaluation {
    const { dimensions, time, totals, sort } = this.#spec;
    const buckets = this.#buckets();
    const groups = this.#groups(buckets);
    const rows: Answered[] = [];
    for (const bucket of buckets) {
      for (const key of groups) {
        const values = JSON.parse(key) as Value[];
        const place: Answered = Object.fromEntries(dimensions.map((name, index) => [name, values[index] ?? null]));
        rows.push({ ...(time?.grain ? { time: bucket.label } : {}), ...place, ...this.#numbers(bucket.days, key) });
      }
    }
    const kept = rows.filter((row) => this.#having.every((filter) => holdsForScalar(filter, row[filter.field] ?? null)));
    const ordered = inOrderOf(kept, sort, [...(time?.grain ? ["time"] : []), ...dimensions]);
    return { rows: ordered, total: kept.length, totals: totals ? this.#totals(buckets) : null };
  }

  behind(as: string, place: Place): Map<string, readonly Row[]> {
    const { name } = must(
      this.#spec.measures.find((measure) => measure.as === as),
      as,
    );
    const names = name === "net_flow" ? ["issues_created", "issues_closed"] : [name];
    const buckets = this.#buckets();
    const [first, last] = place === null ? [buckets[0], buckets.at(-1)] : buckets.filter(({ label }) => label === place.time);
    if (first === undefined) return new Map(names.map((one) => [one, []]));
    const span = { from: first.days.from, to: (last ?? first).days.to };
    const rowsOfMetric = (metric: Metric): readonly Row[] =>
      place === null ? this.#rows(metric, span) : (this.#grouped(metric, span).get(JSON.stringify(place.group)) ?? []);
    return new Map(names.map((one) => [one, rowsOfMetric(metricOf(one))]));
  }

  /** Over all buckets at once; without any there is nothing. */
  #totals(buckets: readonly Bucket[]): Answered {
    const [first, last] = [buckets[0], buckets.at(-1)];
    if (first !== undefined && last !== undefined) return this.#numbers({ from: first.days.from, to: last.days.to }, null);
    const gapOf = (name: string): Value => (name === "net_flow" ? 0 : metricOf(name).gap);
    return Object.fromEntries(
      this.#spec.measures.flatMap(({ name, as }) => [[as, gapOf(name)], ...(this.#isCompared ? [[`${as}__previous`, gapOf(name)]] : [])]),
    ) as Answered;
  }

  get #isCompared(): boolean {
    return this.#spec.time !== null && this.#spec.time.compare !== "none";
  }

  /** The span compared with; that of the totals is moved as a whole, whatever the grain. */
  #earlier(span: Days, isTotal = false): Days {
    const { compare, grain } = must(this.#spec.time, "time");
    const moved = earlier(span, this.#whole, compare, grain);
    if (!isTotal || span.to === null) return moved;
    return { from: moved.from, to: earlier({ from: null, to: span.to }, this.#whole, compare, grain).to };
  }

  /** The groups that some measure has a row in; without dimensions there is one. */
  #groups(buckets: readonly Bucket[]): string[] {
    if (this.#spec.dimensions.length === 0) return ["[]"];
    const spans = buckets.flatMap(({ days }) => (this.#isCompared ? [days, this.#earlier(days)] : [days]));
    return [...new Set(spans.flatMap((span) => this.#metrics().flatMap((metric) => [...this.#grouped(metric, span).keys()])))];
  }

  #metrics(): Metric[] {
    const names = this.#spec.measures.flatMap(({ name }) => (name === "net_flow" ? ["issues_created", "issues_closed"] : [name]));
    return [...new Set(names)].map(metricOf);
  }

  /** The measures of one cell, or of everything where `key` is null. */
  #numbers(span: Days, key: string | null): Answered {
    const numbers: Record<string, Value> = {};
    for (const measure of this.#spec.measures) {
      const current = this.#number(measure, span, key);
      numbers[measure.as] = current;
      if (!this.#isCompared) continue;
      const before = this.#earlier(span, key === null);
      const isEmpty = before.from !== null && before.to !== null && before.from >= before.to;
      const previous = isEmpty ? null : this.#number(measure, before, key);
      numbers[`${measure.as}__previous`] = previous;
      numbers[`${measure.as}__delta_ratio`] = current === null || previous === null ? null : ratio(current - previous, previous);
    }
    return numbers;
  }

  #number({ name, agg, as }: SpecMeasure, span: Days, key: string | null): number | null {
    if (name === "net_flow") {
      const of = (part: string): number => this.#number({ name: part, agg: "sum", as }, span, key) ?? 0;
      return of("issues_created") - of("issues_closed");
    }
    const metric = metricOf(name);
    const rows = key === null ? this.#rows(metric, span) : (this.#grouped(metric, span).get(key) ?? []);
    return rows.length === 0 ? metric.gap : metric.number(rows, agg, this.#data);
  }

  /** The rows of a metric that pass the filters and lie in the span, each once. */
  #rows(metric: Metric, span: Days): Row[] {
    const { timezone } = this.#spec;
    const window = instants(span, timezone);
    const isTimed = span.from !== null || span.to !== null;
    const rows = rowsOf(metric.fact, this.#data, window).filter((row) => this.#counts(metric, row));
    if (metric.time === undefined) return rows;
    return rows.filter((row) => {
      const ms = this.#timeOf(metric, row);
      if (ms === null) return !isTimed;
      const date = localDate(ms, timezone);
      return (span.from === null || date >= span.from) && (span.to === null || date < span.to);
    });
  }

  #timeOf(metric: Metric, row: Row): number | null {
    const field = this.#spec.time?.field ?? "canonical";
    return field === "canonical" ? must(metric.time, "a time")(row) : (fieldOf(row, field) as number | null);
  }

  #counts(metric: Metric, row: Row): boolean {
    if (metric.where !== undefined && !metric.where(row)) return false;
    // Closed sprints unless filtered.
    if (
      metric.fact === "members" &&
      row.member?.sprint.state !== "closed" &&
      !this.#filters.some((filter) => filter.field === "sprint_state")
    )
      return false;
    return this.#filters.every((filter) => passes(row, filter, this.#spec.timezone));
  }

  readonly #groupings = new Map<Metric, Map<string, Groups>>();

  /** Rows by group; an issue with several values of a dimension is in a group of each. */
  #grouped(metric: Metric, span: Days): Groups {
    const spans = this.#groupings.get(metric) ?? new Map<string, Groups>();
    this.#groupings.set(metric, spans);
    const known = spans.get(JSON.stringify(span));
    if (known !== undefined) return known;
    const groups = new Map<string, Row[]>();
    for (const row of this.#rows(metric, span)) {
      for (const key of keysOf(this.#spec.dimensions.map((name) => fieldOf(row, name)))) groups.set(key, [...(groups.get(key) ?? []), row]);
    }
    spans.set(JSON.stringify(span), groups);
    return groups;
  }

  /** The buckets between the bounds, else from the first to the last that has data. */
  #buckets(): Bucket[] {
    const grain = this.#spec.time?.grain ?? null;
    if (grain === null) return [{ label: null, days: this.#whole }];
    const dates = this.#metrics()
      .flatMap((metric) => this.#datesOf(metric))
      .toSorted();
    const first = dates[0];
    const last = dates.at(-1);
    const from = this.#whole.from ?? first;
    const to = this.#whole.to ?? (last === undefined ? undefined : addDays(last, 1));
    if (from === undefined || to === undefined || from >= to) return [];
    return bucketsOf(from, to, grain, this.#weekStart).map(({ label, days }) => ({
      label,
      // Found by its data a bucket is whole; a given bound cuts it.
      days: {
        from: this.#whole.from === null ? label : days.from,
        to: this.#whole.to === null ? nextUnit(must(label, "a label"), grain) : days.to,
      },
    }));
  }

  /** Days on which a metric has something, within the bounds; of visits and states all up to the end of the data. */
  #datesOf(metric: Metric): string[] {
    const { timezone } = this.#spec;
    if (metric.time !== undefined) {
      return this.#rows(metric, this.#whole)
        .flatMap((row) => this.#timeOf(metric, row) ?? [])
        .map((ms) => localDate(ms, timezone));
    }
    const spans = spansInto(metric.fact, this.#data, instants(this.#whole, timezone));
    const kept = spans.filter((row) => this.#filters.every((filter) => passes(row, filter, timezone)));
    return kept.length === 0
      ? []
      : [...kept.map((row) => localDate(must(row.startMs, "a start"), timezone)), localDate(this.#data.asOfMs, timezone)];
  }
}

/** The groups of a row: one, or one per value where a dimension has several. */
function keysOf(values: readonly FieldValue[]): string[] {
  const choices = values.map((value) =>
    Array.isArray(value) ? (value.length === 0 ? [null] : [...new Set(value as readonly string[])]) : [value as Value],
  );
  const combine = (all: Value[][], choice: readonly Value[]): Value[][] => all.flatMap((key) => choice.map((value) => [...key, value]));
  return choices.reduce<Value[][]>(combine, [[]]).map((key) => JSON.stringify(key));
}
