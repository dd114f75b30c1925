import { must } from "../must.ts";
import { deltaColumn, dimensionColumn, outputColumn, planNotes, previousColumn } from "../plan/columns.ts";
import type { PlanOutput } from "../plan/plan.ts";
import type { Context } from "./context.ts";
import { factRows, presenceId } from "./fact.ts";
import { ident, join, type Sql, sql, verified } from "./fragment.ts";
import { type Pass, passName } from "./spine.ts";

/**
 * Puts the facts of a period side by side: each fact's rows, and those of the period compared with, are stacked with the
 * full grid of buckets and groups and folded by key. No join, so nothing multiplies, and null groups stay groups.
 */
export function answerRows(context: Context, scope: "grid" | "total"): { ctes: [string, Sql][]; final: Sql } {
  const { plan } = context;
  const passes: Pass[] = scope === "grid" ? ["current", "previous"] : ["total", "total_previous"];
  const used = plan.time.shift === null ? passes.slice(0, 1) : passes;
  const dimensions = scope === "grid" ? plan.dimensions.map((_, index) => ident(dimensionColumn(index))) : [];
  const ctes: [string, Sql][] = [];
  const stacked = used.flatMap((pass) =>
    plan.facts.map((fact, index) => {
      const name = `${pass}_f${index + 1}`;
      ctes.push([name, factRows(context, fact, pass)]);
      return sql`select spine_i, ${join([...dimensions, ...stackedColumns(context, index, pass)], ", ")} from ${ident(name)}`;
    }),
  );
  const stackName = `${scope}_stack`;
  ctes.push([stackName, join(stacked, " union all ")]);
  const keys = join([sql`spine_i`, ...dimensions], ", ");
  const groups =
    dimensions.length === 0 ? sql`` : sql` cross join (select distinct ${join(dimensions, ", ")} from ${ident(stackName)}) as g`;
  const spine = scope === "grid" ? sql`current_spine` : sql`total_spine`;
  const grid = sql`select ${keys}, ${join(
    foldedColumns(context).map((name) => sql`null as ${ident(name)}`),
    ", ",
  )} from ${spine}${groups}`;
  const folds = foldedColumns(context).map((name) => sql`max(${ident(name)}) as ${ident(name)}`);
  const folded = sql`select ${keys}, ${join(folds, ", ")} from (select * from ${ident(stackName)} union all ${grid}) as every group by ${keys}`;
  const outputs = plan.outputs.flatMap((output, index) => outputColumns(context, output, index));
  const counts = countColumns(context).map((name) => ident("c", name));
  const shown = [...dimensions.map((dimension) => sql`c.${dimension}`), ...outputs, ...counts];
  const values = sql`select c.spine_i, s.spine_bucket, s.spine_partial, ${join(shown, ", ")} from (${folded}) as c join ${spine} as s on s.spine_i = c.spine_i${comparedSpine(context, scope)}`;
  return { ctes, final: plan.time.shift === null ? values : withDeltas(context, values) };
}

/** The bucket compared with, beside the current one. */
function comparedSpine({ plan }: Context, scope: "grid" | "total"): Sql {
  if (plan.time.shift === null) return sql``;
  return sql` join ${passName(scope === "grid" ? "previous" : "total_previous", "spine")} as q on q.spine_i = c.spine_i`;
}

/** Every measure of every fact, with its row count: `m1`, `m1_n`. */
function measureNames({ plan }: Context): string[] {
  return plan.facts.flatMap((fact) => fact.measures.flatMap(({ id }) => [id, presenceId(id)]));
}

function countColumns(context: Context): string[] {
  return [...planNotes(context.plan).map((note) => note.id), ...context.plan.facts.map((fact) => fact.rowsId)];
}

function foldedColumns(context: Context): string[] {
  const names = measureNames(context);
  const compared = context.plan.time.shift === null ? [] : names.map((name) => `previous_${name}`);
  return [...names, ...compared, ...countColumns(context)];
}

/** One fact's columns in the stack's order, null for those of the other facts and the other period. */
function stackedColumns(context: Context, factIndex: number, pass: Pass): Sql[] {
  const fact = must(context.plan.facts[factIndex], "fact");
  const isPrevious = pass === "previous" || pass === "total_previous";
  const own = new Set(fact.measures.flatMap(({ id }) => [id, presenceId(id)]));
  const counts = new Set(isPrevious ? [] : [...fact.notes.map((note) => note.id), fact.rowsId]);
  return foldedColumns(context).map((name) => {
    const plain = name.replace(/^previous_/, "");
    const isOwn = counts.has(name) || (own.has(plain) && name.startsWith("previous_") === isPrevious);
    const type = plain.endsWith("_n") || countColumns(context).includes(name) ? sql`bigint` : sql`float8`;
    return isOwn ? sql`${ident(plain)} as ${ident(name)}` : sql`null::${type} as ${ident(name)}`;
  });
}

function outputColumns(context: Context, output: PlanOutput, index: number): Sql[] {
  const current = sql`${outputValue(context, output, "")} as ${ident(outputColumn(index))}`;
  if (context.plan.time.shift === null) return [current];
  // An empty bucket is a day that the earlier month does not have: nothing is known of it, not zero.
  const previous = sql`case when q.spine_first >= q.spine_next and q.spine_first > '-infinity' then null else ${outputValue(context, output, "previous_")} end`;
  return [current, sql`${previous} as ${ident(previousColumn(index))}`];
}

function outputValue(context: Context, output: PlanOutput, prefix: "" | "previous_"): Sql {
  if ("measure" in output.source) return filled(context, output, `${prefix}${output.source.measure}`);
  const parts = Object.entries(output.source.measures).map(
    ([name, id]) => sql`${filled(context, output, `${prefix}${id}`)} as ${ident(name)}`,
  );
  return sql`(select ${verified(output.source.expression)} from (select ${join(parts, ", ")}) as parts)`;
}

/** The gap rule: only a bucket without any row is filled; a null over rows stays null, since unknown is not zero. */
function filled({ plan }: Context, { gap }: PlanOutput, id: string): Sql {
  const column = ident("c", id);
  const isGap = sql`coalesce(${ident("c", presenceId(id))}, 0) = 0`;
  if (gap === "zero") return sql`case when ${isGap} then 0 else ${column} end`;
  if (gap === "null") return column;
  const groups = plan.dimensions.map((_, index) => sql`c.${ident(dimensionColumn(index))}`);
  const partition = groups.length === 0 ? sql`` : sql`partition by ${join(groups, ", ")} `;
  return sql`(array_agg(${column}) filter (where ${column} is not null) over (${partition}order by c.spine_i))[(count(${column}) over (${partition}order by c.spine_i))::int]`;
}

function withDeltas({ plan }: Context, values: Sql): Sql {
  const deltas = plan.outputs.map((_, index) => {
    const [now, before] = [ident(outputColumn(index)), ident(previousColumn(index))];
    return sql`(${now} - ${before}) / nullif(${before}, 0) as ${ident(deltaColumn(index))}`;
  });
  return sql`select compared.*, ${join(deltas, ", ")} from (${values}) as compared`;
}
