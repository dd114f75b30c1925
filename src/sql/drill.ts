import type { Catalog } from "../catalog/catalog.ts";
import { AS_OF_COLUMN, VERSION_COLUMN } from "../plan/columns.ts";
import {
  DRILL,
  type Drill,
  type DrillColumn,
  type DrillColumnType,
  drillColumns,
  type DrillPart,
  ISSUE_COLUMNS,
  unitColumns,
} from "../plan/drill.ts";
import type { Principal } from "../tenant.ts";
import { baseTable, type Context, datasourceOf, makeContext } from "./context.ts";
import { columnsNeeded, placedRows, unnest } from "./fact.ts";
import { all, empty, ident, join, literal, type Sql, sql, type Statement, toStatement, value, verified } from "./fragment.ts";
import { frameRows } from "./frame.ts";
import { foldedValues } from "./measure.ts";
import { sourceRows } from "./source.ts";
import type { Pass } from "./spine.ts";

/** What links a row to its issue, never shown. */
const LINKS = ["issue_no", "instance_id"] as const;
/** Shares that add up to their unit's number but for rounding. */
const ROUNDING = 1e-6;

/** One part with what is written of it. */
interface Written {
  readonly part: DrillPart;
  readonly members: Sql;
  readonly units: Sql;
}

/**
 * Writes a drill-down as one statement over the same rows as the number itself: the first `limit` of them, largest contribution
 * first, each with how many there are, and the units between rows and number as JSON. At least one row, with the order null
 * where nothing is behind the number.
 */
export function compileDrill({ drill, limit }: { drill: Drill; limit: number }, principal: Principal, catalog: Catalog): Statement {
  const context = makeContext(drill.plan, principal, catalog);
  const written = drill.parts.map((part, index): Written => ({
    part,
    members: ident(`members${index + 1}`),
    units: ident(`units${index + 1}`),
  }));
  const columns = drillColumns(drill, catalog);
  const units = unitColumns(drill);
  const count = value(limit, "int");
  const ctes: [Sql, Sql][] = [
    ...frameRows(context, drill.place.kind === "totals" ? ["current", "total"] : ["current"]).map(([name, body]): [Sql, Sql] => [
      ident(name),
      body,
    ]),
    ...written.flatMap((one) => partRows(context, drill, one)),
    [
      sql`every`,
      join(
        written.map((one) => shareRows(one, columns)),
        " union all ",
      ),
    ],
    ...(units.length === 0 ? [] : [[sql`every_unit`, unitRows(written, units)] as [Sql, Sql]]),
  ];
  const provenance = [
    sql`s.data_as_of as ${ident(AS_OF_COLUMN)}`,
    sql`s.data_version as ${ident(VERSION_COLUMN)}`,
    sql`(select count(*) from every) as ${ident(DRILL.total)}`,
    sql`(select count(distinct issue_no) from every) as ${ident(DRILL.issues)}`,
    ...(units.length === 0 ? [] : unitProvenance(units, count)),
  ];
  const named = ctes.map(([name, body]) => sql`${name} as (\n${body}\n)`);
  return toStatement(
    sql`with ${join(named, ", ")}
select ${join(provenance, ", ")}, p.* from (select 1) as one left join state as s on true left join (${pageRows(context, columns, count)}) as p on true order by p.${ident(DRILL.order)}`,
  );
}

function partRows(context: Context, drill: Drill, one: Written): [Sql, Sql][] {
  const { part, members, units } = one;
  if (part.fact.score !== null)
    return [
      [units, scoredUnitRows(context, drill, part)],
      [members, scoredMemberRows(context, one)],
    ];
  const rows: [Sql, Sql] = [members, memberRows(context, drill, part)];
  return part.units === null ? [rows] : [rows, [units, foldedUnitRows(one)]];
}

/** The rows that a measure aggregates, as it sees them. */
function memberRows(context: Context, drill: Drill, part: DrillPart): Sql {
  const carried = [...ISSUE_COLUMNS, ...LINKS, ...part.details, ...(part.units?.labels ?? [])];
  const names = new Set([...columnsNeeded(context, part.fact, datasourceOf(context, part.fact.datasource)), ...carried]);
  const { from, conditions } = placedIn(context, drill, part, carried);
  return sql`select ${columnList([...names])}${unitNumber(part)} from ${from} where ${conditions}`;
}

/** Numbers the units, so that rows find theirs by one equal column whatever is unknown of its keys. */
function unitNumber(part: DrillPart): Sql {
  return part.units === null ? empty : sql`, dense_rank() over (order by ${columnList(part.units.keys)}) as unit_nr`;
}

/** Rows in the place of the number: its bucket and groups. */
function placedIn(
  context: Context,
  { plan, place }: Drill,
  { fact }: DrillPart,
  carried: readonly string[],
): { from: Sql; conditions: Sql } {
  const pass: Pass = place.kind === "totals" ? "total" : "current";
  const placed = placedRows(context, fact, pass, carried);
  if (place.kind === "totals") return { from: placed.from, conditions: all(placed.conditions) };
  const unnested = plan.dimensions.map(({ name, multiValued }, index) => (multiValued ? unnest(name, index) : empty));
  const groups = plan.dimensions.map(({ name, multiValued }, index) => {
    const column = multiValued ? ident(`mv${index + 1}`) : ident("r", name);
    const group = place.values[index] ?? null;
    return group === null ? sql`${column} is null` : sql`${column} = ${value(group, "text")}`;
  });
  return { from: sql`${placed.from}${join(unnested, "\n")}`, conditions: all([...placed.conditions, ...groups]) };
}

/** The units of a measure that folds rows first, each with its value. */
function foldedUnitRows({ part, members }: Written): Sql {
  const { keys, labels } = units(part);
  const names = labels
    .filter((name) => !keys.includes(name))
    .map((name) => sql`case when min(${ident(name)}) = max(${ident(name)}) then min(${ident(name)}) end as ${ident(name)}`);
  return sql`select ${join([sql`unit_nr`, columnList(keys), ...names, ...foldedValues(part.measure)], ", ")} from ${members} group by unit_nr, ${columnList(keys)}`;
}

/** The units of a score: the scored ones in the number's place. */
function scoredUnitRows(context: Context, drill: Drill, part: DrillPart): Sql {
  const { keys, labels } = units(part);
  const carried = [...new Set([...keys, ...labels])];
  const scores = ["score", ...(part.fact.score?.components.map(({ name }) => `${name}_z`) ?? [])];
  const { from, conditions } = placedIn(context, drill, part, carried);
  return sql`select ${columnList([...carried, ...scores])} from ${from} where ${conditions}`;
}

/** All rows of those units: a score belongs to none of them alone. */
function scoredMemberRows(context: Context, { part, units: unit }: Written): Sql {
  const { keys } = units(part);
  const names = [...new Set([...ISSUE_COLUMNS, ...LINKS, ...part.details, ...keys])];
  const rows = sourceRows(context, datasourceOf(context, part.fact.datasource), new Set(names));
  return sql`select ${join(
    names.map((name) => ident("r", name)),
    ", ",
  )} from (${rows}) as r join ${unit} as u on ${all(keys.map((name) => sql`${ident("r", name)} = ${ident("u", name)}`))}`;
}

const units = (part: DrillPart): NonNullable<DrillPart["units"]> => part.units ?? { keys: [], labels: [] };

const columnList = (names: readonly string[]): Sql =>
  join(
    names.map((name) => ident(name)),
    ", ",
  );

/** The rows of one part that enter its number, with the columns of all parts. */
function shareRows(one: Written, columns: readonly DrillColumn[]): Sql {
  const { part } = one;
  const own = new Set<string>([...ISSUE_COLUMNS, ...part.details]);
  const shares = new Set(part.share === "ratio" ? ["numerator", "denominator"] : part.share === "value" ? ["value"] : []);
  const shown = columns.map(({ name, type }) => {
    if (name === "part") return sql`${value(part.name, "text")} as ${ident(name)}`;
    if (shares.has(name)) return sql`${ident("x", `share_${name}`)} as ${ident(name)}`;
    return own.has(name) ? ident("x", name) : sql`null::${TYPES[type]} as ${ident(name)}`;
  });
  const links = LINKS.map((name) => ident("x", name));
  return sql`select ${join([...shown, ...links], ", ")} from (${sharedRows(one)}) as x where x.enters`;
}

const TYPES: Record<DrillColumnType, Sql> = {
  text: sql`text`,
  number: sql`float8`,
  timestamp: sql`timestamptz`,
  boolean: sql`boolean`,
};

/** Rows with what each contributes: `share_…`, and whether it enters the number at all. */
function sharedRows(one: Written): Sql {
  const { part, members } = one;
  const { value: measured } = part.measure;
  if ("score" in measured) return sql`select m.*, true as enters from ${members} as m`;
  if (part.units !== null) return foldedShares(one);
  const shares =
    "numerator" in measured
      ? sql`${verified(measured.numerator)}::float8 as share_numerator, ${verified(measured.denominator)}::float8 as share_denominator`
      : sql`${verified(measured.expression)}::float8 as share_value`;
  return sql`select m.*, ${shares}, true as enters from ${members} as m`;
}

/**
 * A row's share in its unit is the unit's value over that row alone, wherever such shares add up to the whole. Where they do
 * not (a difference over a sprint) nobody's share is known, and all rows of the unit enter.
 */
function foldedShares({ part, members, units: unit }: Written): Sql {
  const { id } = part.measure;
  const shares: readonly [string, string][] =
    part.share === "ratio"
      ? [
          ["numerator", `${id}_num`],
          ["denominator", `${id}_den`],
        ]
      : [["value", `${id}_val`]];
  const addsUp = all(
    shares.map(
      ([, name]) => sql`abs(coalesce(sum(${ident("own", name)}) over w, 0) - coalesce(${ident("u", name)}, 0)) <= ${literal(ROUNDING)}`,
    ),
  );
  const told = shares.map(([name, folded]) => sql`case when y.adds_up then y.${ident(`own_${folded}`)} end as ${ident(`share_${name}`)}`);
  const isSome = join(
    shares.map(([, folded]) => sql`coalesce(y.${ident(`own_${folded}`)}, 0) <> 0`),
    " or ",
  );
  const owns = shares.map(([, name]) => sql`${ident("own", name)} as ${ident(`own_${name}`)}`);
  const alone = sql`select ${join(foldedValues(part.measure), ", ")} from (select m.*) as alone`;
  const inner = sql`select m.*, ${join(owns, ", ")}, ${addsUp} as adds_up from ${members} as m
    join ${unit} as u on u.unit_nr = m.unit_nr cross join lateral (${alone}) as own window w as (partition by m.unit_nr)`;
  return sql`select y.*, ${join(told, ", ")}, not y.adds_up or ${isSome} as enters from (${inner}) as y`;
}

function unitRows(written: readonly Written[], columns: readonly DrillColumn[]): Sql {
  const withUnits = written.filter(({ part }) => part.units !== null);
  const rows = withUnits.map(({ part, units: unit }) => {
    const values = unitValues(part);
    const own = new Set([...units(part).labels, ...(part.fact.score?.components.map(({ name }) => `${name}_z`) ?? [])]);
    const shown = columns.map(({ name, type }) => {
      if (name === "part") return sql`${value(part.name, "text")} as ${ident(name)}`;
      const computed = values[name];
      if (computed !== undefined) return sql`${computed} as ${ident(name)}`;
      return own.has(name) ? ident("u", name) : sql`null::${TYPES[type]} as ${ident(name)}`;
    });
    return sql`select ${join(shown, ", ")} from ${unit} as u`;
  });
  return join(rows, " union all ");
}

/** What each unit brings to the number. */
function unitValues({ measure, share }: DrillPart): Readonly<Record<string, Sql>> {
  const { id, value: measured } = measure;
  if ("score" in measured) return { value: ident("u", measured.score) };
  if (share === "value") return { value: ident("u", `${id}_val`) };
  const [numerator, denominator] = [ident("u", `${id}_num`), ident("u", `${id}_den`)];
  return { numerator, denominator, value: sql`${numerator} / nullif(${denominator}, 0)` };
}

/** The first units as a JSON list of lists, and how many there are. */
function unitProvenance(columns: readonly DrillColumn[], count: Sql): Sql[] {
  const names = columnList(columns.map(({ name }) => name));
  const labels = columns.filter(({ type }) => type === "text").map(({ name }) => ident(name));
  const order = join([sql`"value" desc nulls last`, ...labels], ", ");
  const numbered = sql`select json_build_array(${names}) as shown, row_number() over (order by ${order}) as nr from every_unit`;
  return [
    sql`(select json_agg(n.shown order by n.nr) from (${numbered}) as n where n.nr <= ${count}) as ${ident(DRILL.units)}`,
    sql`(select count(*) from every_unit) as ${ident(DRILL.unitTotal)}`,
  ];
}

/** The first rows in order, each with where its tracker is. */
function pageRows(context: Context, columns: readonly DrillColumn[], count: Sql): Sql {
  const shares = columns.filter(({ name }) => name === "numerator" || name === "denominator" || name === "value");
  const rest = columns.filter(({ name, type }) => type === "timestamp" || name === "part");
  const order = [
    ...shares.map(({ name }) => sql`${ident("e", name)} desc nulls last`),
    ...["issue_key", "instance_id", ...rest.map(({ name }) => name)].map((name) => ident("e", name)),
  ];
  const { table, wall } = baseTable(context, "instance", "i");
  const first = sql`select e.*, row_number() over (order by ${join(order, ", ")}) as ${ident(DRILL.order)} from every as e`;
  const shown = columns.map(({ name }) => ident("f", name));
  return sql`select ${join([sql`f.${ident(DRILL.order)}`, ...shown], ", ")}, i.base_url as ${ident(DRILL.baseUrl)}, i.kind as ${ident(DRILL.kind)}
  from (${first}) as f left join ${table} on ${wall} and i.instance_id = f.instance_id where f.${ident(DRILL.order)} <= ${count}`;
}
