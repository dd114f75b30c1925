import type { Cell, Result, ResultColumn, ResultMeta } from "../result/result.ts";
import type { Spec } from "../spec/spec.ts";
import type { Answer } from "./answer.ts";
import { DATA_NOTICE, untrusted, visible } from "./visible.ts";

/** CONTRACT.md section 5: a result as text (about half the tokens of its JSON) and as the envelope. */
export function resultAnswer(result: Result): Answer {
  return { text: resultText(result), structured: resultEnvelope(result) };
}

/** The succeeding half of the envelope. */
export function resultEnvelope(result: Result): Readonly<Record<string, unknown>> {
  return { success: true, data: result.data, meta: { ...result.meta, notice: DATA_NOTICE } };
}

function resultText(result: Result): string {
  const { data, meta } = result;
  const explanation = meta.explanation;
  if (explanation !== undefined) {
    return [
      "Not run (dry_run): this is the plan. It read no data.",
      explanation.admission,
      `estimate: ${explanation.estimate.rows} rows, cost ${explanation.estimate.cost}`,
      `statement: ${visible(explanation.statement)}`,
      `plan: ${visible(JSON.stringify(explanation.plan))}`,
      ...provenance(meta),
    ].join("\n");
  }
  return [untrusted(tableLines(result)), pagingLine(result), ...provenance(meta), ...timing(result)]
    .filter((line) => line !== "")
    .join("\n");

  function timing({ data: { cached, query_time_ms } }: Result): readonly string[] {
    const from = cached ? ", from the cache" : "";
    const again = meta.cache_ttl > 0 ? `; asked again within ${meta.cache_ttl} s it comes from the cache` : "";
    return [`answered in ${query_time_ms} ms${from}${again}; columns: ${data.columns.map(columnNote).join(", ")}`];
  }
}

function tableLines({ data, meta }: Result): readonly string[] {
  return [
    visible(meta.summary),
    ...meta.warnings.map((warning) => `warning: ${visible(warning)}`),
    data.columns.map((column) => cellText(column.name)).join(","),
    ...data.rows.map(rowText),
    ...(data.totals === undefined ? [] : [totalsLine(data.columns, data.totals)]),
  ];
}

/** Names each total, so that it is neither taken for a row nor read one column off. */
export function totalsLine(columns: readonly ResultColumn[], totals: readonly Cell[]): string {
  const named = columns.flatMap(({ name, role }, at) =>
    role === "time" || role === "dimension" ? [] : [`${name} ${totals[at] === null ? "none" : cellText(totals[at] ?? null)}`],
  );
  return `total over all rows: ${named.join(", ")}`;
}

function pagingLine({ data, meta }: Result): string {
  const shown = `${data.rows.length} of ${data.total} rows`;
  const isCut = meta.spec.limit < data.total;
  if (data.next_cursor === null)
    return `${shown}${isCut ? ` (the spec's limit of ${meta.spec.limit} ends here)` : ""}; result_id ${meta.result_id}`;
  return `${shown}. More: get_result {"result_id":"${meta.result_id}","cursor":"${data.next_cursor}"}; all as CSV: ${meta.result_uri}.csv`;
}

/** Where the numbers come from, one line each. */
function provenance(meta: ResultMeta): readonly string[] {
  const metrics = meta.metrics_used.map(({ name, version }) => `${name} ${version}`).join(", ");
  return [
    `metrics: ${metrics} (catalog ${meta.catalog_version}, spec ${meta.spec_version}); ${meta.explanation === undefined ? `data as of ${meta.data_as_of ?? "never imported"}; ` : ""}time zone ${meta.timezone}`,
    ...meta.deprecations.map((deprecation) => `deprecated: ${visible(deprecation)}`),
    ...(meta.partial_buckets.length === 0 ? [] : [`incomplete buckets: ${meta.partial_buckets.join(", ")}`]),
    ...(meta.chart === null || meta.chart === undefined ? [] : [`chart: ${visible(chartNote(meta))}`]),
    `spec: ${visible(JSON.stringify(asked(meta.spec)))}`,
  ];
}

/** What chart an answer becomes, and the call that draws it. */
function chartNote({ chart, result_id: id }: ResultMeta): string {
  const { type, reason } = chart as { readonly type?: unknown; readonly reason?: unknown };
  return `${String(reason ?? type)}; draw it: render_chart {"result_id":"${id}"}`;
}

/** The canonical spec without what it leaves at its default. */
function asked(spec: Spec): Readonly<Record<string, unknown>> {
  const entries = Object.entries(spec).filter(
    ([, value]) => value !== null && value !== false && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(entries);
}

function columnNote(column: ResultColumn): string {
  return `${column.name} ${column.unit ?? column.type} "${visible(column.label)}"`;
}

function rowText(row: readonly Cell[]): string {
  return row.map(cellText).join(",");
}

/** A cell on one line; null is empty, an empty text is "". Numbers are rounded to six decimals: the rest is noise that costs tokens. */
export function cellText(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "number") return String(Number(cell.toFixed(6)));
  if (typeof cell !== "string") return String(cell);
  const text = visible(cell);
  return text === "" || /[",]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
