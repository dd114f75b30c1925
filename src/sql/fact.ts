import type { DatasourceDefinition } from "../catalog/definition.ts";
import { must } from "../must.ts";
import { dimensionColumn } from "../plan/columns.ts";
import type { PlanFact } from "../plan/plan.ts";
import { baseTable, type Context, datasourceOf, firstInstantOf } from "./context.ts";
import { filterCondition } from "./filter.ts";
import { all, empty, ident, join, type Sql, sql, value, verified } from "./fragment.ts";
import { aggregateOf, expressionsOf, filtered, foldedValues, presenceOf } from "./measure.ts";
import { scoredUnits } from "./score.ts";
import { sourceRows } from "./source.ts";
import { hasBuckets, isBounded, mayLeaveGaps, type Pass, passName } from "./spine.ts";

/** Names of the columns that count the rows behind measure `m1`. */
export const presenceId = (measureId: string): string => `${measureId}_n`;

/**
 * One fact aggregated to the bucket and the dimensions of a pass. Each measure sees each of its rows once:
 * joins are to-one, and only grouping by a multi-valued dimension repeats a row, once per value.
 */
export function factRows(context: Context, fact: PlanFact, pass: Pass): Sql {
  const grouped = pass === "current" || pass === "previous";
  const dimensions = grouped ? context.plan.dimensions : [];
  const placed = placedRows(context, fact, pass);
  const keys = [
    sql`${placed.bucket} as spine_i`,
    ...dimensions.map(
      ({ name, multiValued }, index) =>
        sql`${multiValued ? ident(`mv${index + 1}`) : ident("r", name)} as ${ident(dimensionColumn(index))}`,
    ),
  ];
  const keyNames = [sql`spine_i`, ...dimensions.map((_, index) => ident(dimensionColumn(index)))];
  const unnested = dimensions.map(({ name, multiValued }, index) => (multiValued ? unnest(name, index) : empty));
  const from = sql`${placed.from}${join(unnested, "\n")} where ${all(placed.conditions)}`;
  const counts = [
    ...fact.notes.map(({ id, where }) => sql`count(*)${filtered(verified(where))} as ${ident(id)}`),
    sql`count(*) as ${ident(fact.rowsId)}`,
  ];
  const positions = join(
    keys.map((_, index) => sql`${ordinal(index + 1)}`),
    ", ",
  );
  if (fact.per.length === 0) {
    return sql`select ${join([...keys, ...measureColumns(fact), ...counts], ", ")} from ${from} group by ${positions}`;
  }
  const units = fact.per.map((name) => ident("r", name));
  const inner = sql`select ${join([...keys, ...fact.measures.flatMap(foldedValues), ...counts], ", ")} from ${from} group by ${positions}, ${join(units, ", ")}`;
  const sums = [...fact.notes.map(({ id }) => id), fact.rowsId].map((id) => sql`sum(${ident(id)})::bigint as ${ident(id)}`);
  return sql`select ${join([...keyNames, ...measureColumns(fact), ...sums], ", ")} from (${inner}) as u group by ${positions}`;
}

const ordinal = (position: number): Sql => {
  const ordinals = [sql`1`, sql`2`, sql`3`, sql`4`, sql`5`, sql`6`];
  return must(ordinals[position - 1], `at most ${ordinals.length} keys`);
};

function measureColumns(fact: PlanFact): Sql[] {
  return fact.measures.flatMap((measure) => [
    sql`${aggregateOf(measure, fact)} as ${ident(measure.id)}`,
    sql`${presenceOf(measure, fact)} as ${ident(presenceId(measure.id))}`,
  ]);
}

/** The values of a list, each once, as rows; one row with null for an empty list. */
export function unnest(name: string, index: number): Sql {
  const alias = ident(`mv${index + 1}`);
  return sql` left join lateral (select distinct element as ${alias} from unnest(${ident("r", name)}) as element) as ${ident(`list${index + 1}`)} on true`;
}

/** Rows of a fact with the bucket they fall into. */
interface Placed {
  readonly bucket: Sql;
  readonly from: Sql;
  readonly conditions: readonly Sql[];
}

/** The rows that count, unqualified as expressions name them, each with the bucket it falls into; `carried` are columns wanted beside the fact's own. */
export function placedRows(context: Context, fact: PlanFact, pass: Pass, carried: readonly string[] = []): Placed {
  const datasource = datasourceOf(context, fact.datasource);
  const source = sql`(${factSource(context, fact, datasource, carried)}) as r`;
  const conditions = [...fact.filters.map((filter) => filterCondition(context, filter)), ...measureConditions(fact)];
  if (datasource.rows === "event") return placedEvents(context, fact, pass, { source, conditions });
  const { start, end } = must(datasource.span, `span of ${datasource.name}`);
  const span = { start: ident("r", start), end: ident("r", end) };
  return datasource.rows === "interval"
    ? placedIntervals(context, pass, { source, conditions, ...span })
    : placedSnapshots(context, pass, { source: sql`${source}`, conditions, ...span, latest: latestColumns(context, fact, datasource) });
}

/** Rows that no measure counts are left out, so that they make no group either. */
function measureConditions(fact: PlanFact): Sql[] {
  const wheres = [...new Set(fact.measures.map((measure) => measure.where))];
  const known = wheres.filter((where) => where !== undefined);
  return known.length === wheres.length && known.length > 0
    ? [
        sql`(${join(
          known.map((where) => verified(where)),
          " or ",
        )})`,
      ]
    : [];
}

function factSource(context: Context, fact: PlanFact, datasource: DatasourceDefinition, carried: readonly string[] = []): Sql {
  const needed = new Set([...columnsNeeded(context, fact, datasource), ...carried]);
  if (fact.score === null) return sourceRows(context, datasource, needed);
  return scoredUnits(context, datasource, { fact, score: fact.score, carried: needed });
}

/** The columns of a datasource that a fact reads. */
export function columnsNeeded(context: Context, fact: PlanFact, datasource: DatasourceDefinition): Set<string> {
  const expressions = [...fact.measures.flatMap(expressionsOf), ...fact.notes.map((note) => note.where)];
  return new Set([
    ...context.plan.dimensions.map((dimension) => dimension.name),
    ...fact.filters.map((filter) => filter.field),
    ...fact.per,
    ...(fact.time === null ? [] : [fact.time]),
    ...Object.values(datasource.span ?? {}),
    ...expressions.flatMap((expression) => context.catalog.columnsOf(expression)),
  ]);
}

interface Rows {
  readonly source: Sql;
  readonly conditions: readonly Sql[];
}

/** An event falls into the bucket whose edges enclose its instant. */
function placedEvents(context: Context, fact: PlanFact, pass: Pass, { source, conditions }: Rows): Placed {
  const time = ident("r", must(fact.time, "time of an event"));
  const edges = passName(pass, "edges");
  const bucket = hasBuckets(context, pass) ? sql`width_bucket(${time}, (select starts from ${edges}))` : sql`1`;
  const inside = mayLeaveGaps(context, pass) ? [sql`${time} < (select ends from ${edges})[${bucket}]`] : [];
  const within = isBounded(context) ? [sql`${time} >= ${lowerEdge(context, pass)}`, sql`${time} < ${upperEdge(context, pass)}`] : [];
  return { bucket, from: source, conditions: [...conditions, ...within, ...inside] };
}

/** The period's edges as constants where they are known, which the planner can estimate by, else as read from the spine. */
function lowerEdge(context: Context, pass: Pass): Sql {
  const { from } = context.plan.time;
  if (from === null || pass === "previous" || pass === "total_previous") return sql`(select lo from ${passName(pass, "edges")})`;
  return startOfDay(context, from);
}

function upperEdge(context: Context, pass: Pass): Sql {
  const { to } = context.plan.time;
  if (to === null || pass === "previous" || pass === "total_previous") return sql`(select hi from ${passName(pass, "edges")})`;
  return startOfDay(context, to);
}

function startOfDay(context: Context, day: string): Sql {
  return firstInstantOf(context, value(day, "timestamp"));
}

interface Spans extends Rows {
  readonly start: Sql;
  readonly end: Sql;
}

/** A span counts in every bucket it touches, with the part inside it. */
function placedIntervals(context: Context, pass: Pass, { source, conditions, start, end }: Spans): Placed {
  const spine = passName(pass, "spine");
  const edges = passName(pass, "edges");
  const touched = hasBuckets(context, pass)
    ? sql` cross join ${edges} as e cross join lateral generate_series(greatest(width_bucket(${start}, e.starts), 1), width_bucket(${end}, e.starts)) as touched(i) join ${spine} as s on s.spine_i = touched.i`
    : sql` cross join ${spine} as s`;
  const overlap = sql` cross join lateral (select extract(epoch from (least(${end}, s.spine_end) - greatest(${start}, s.spine_start)))::float8 as overlap_seconds) as o`;
  return { bucket: sql`s.spine_i`, from: sql`${source}${touched}${overlap}`, conditions: [...conditions, sql`o.overlap_seconds > 0`] };
}

/** A span counts at each bucket whose last moment it holds: begun before it and not ended before it. */
function placedSnapshots(context: Context, pass: Pass, { source, conditions, start, end, latest }: Spans & { latest: Sql }): Placed {
  const spine = passName(pass, "spine");
  const edges = passName(pass, "edges");
  const held = hasBuckets(context, pass)
    ? sql` cross join ${edges} as e cross join lateral generate_series(width_bucket(${start}, e.covers) + 1, coalesce(width_bucket(${end}, e.covers), e.n)) as held(i) join ${spine} as s on s.spine_i = held.i`
    : sql` join ${spine} as s on ${start} < s.spine_cover and (${end} is null or ${end} >= s.spine_cover)`;
  const instant = sql` cross join lateral (select s.spine_instant as instant) as at`;
  return { bucket: sql`s.spine_i`, from: sql`${source}${held}${instant}${latest}`, conditions };
}

/** Look-ups of the newest value before the instant, for the columns that some expression reads. */
function latestColumns(context: Context, fact: PlanFact, datasource: DatasourceDefinition): Sql {
  const needed = columnsNeeded(context, fact, datasource);
  const lookups = [...needed].flatMap((name) => {
    const column = datasource.columns[name];
    if (!column || !("latest" in column)) return [];
    const { table: tableName, column: read, on } = column.latest;
    const { table, wall } = baseTable(context, tableName, "newest");
    return [
      sql` cross join lateral (select max(newest.${ident(read)}) as ${ident(name)} from ${table} where ${wall} and newest.${ident(on)} = ${ident("r", on)} and newest.${ident(read)} < s.spine_cover) as ${ident(`lookup_${name}`)}`,
    ];
  });
  return join(lookups, "\n");
}

/** First and last instant of the rows that count, for a spine that lacks an end; an end that is given holds rows to it. */
export function factBounds(context: Context, fact: PlanFact): Sql {
  const datasource = datasourceOf(context, fact.datasource);
  const source = sql`(${factSource(context, fact, datasource)}) as r`;
  const filters = fact.filters.map((filter) => filterCondition(context, filter));
  if (datasource.rows === "event") {
    const time = ident("r", must(fact.time, "time of an event"));
    const conditions = [...filters, ...measureConditions(fact), ...withinGiven(context, { first: time, last: time }, sql`>=`)];
    return sql`select min(${time}) as lo, max(${time}) as hi from ${source} where ${all(conditions)}`;
  }
  const { start, end } = must(datasource.span, `span of ${datasource.name}`);
  const asOf = sql`(select data_as_of from state)`;
  const first = ident("r", start);
  const conditions = [...filters, ...withinGiven(context, { first, last: sql`coalesce(${ident("r", end)}, ${asOf})` }, sql`>`)];
  return sql`select min(${first}) as lo, ${asOf} as hi from ${source} where ${all(conditions)} having count(*) > 0`;
}

/** What reaches into the period as far as the spec bounds it. */
function withinGiven(context: Context, { first, last }: { first: Sql; last: Sql }, after: Sql): Sql[] {
  const { from, to } = context.plan.time;
  return [
    ...(from === null ? [] : [sql`${last} ${after} ${startOfDay(context, from)}`]),
    ...(to === null ? [] : [sql`${first} < ${startOfDay(context, to)}`]),
  ];
}
