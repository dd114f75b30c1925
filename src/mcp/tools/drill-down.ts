import { z } from "zod";
import type { DrillResult, DrillResultColumn } from "../../result/drill.ts";
import type { Cell } from "../../result/result.ts";
import type { Answer } from "../answer.ts";
import { defineTool, envelopeSchema, zodInput } from "../define-tool.ts";
import type { Tool, ToolInput } from "../define-tool.ts";
import { isRecord } from "../json-schema.ts";
import { cellText } from "../result-answer.ts";
import { DATA_NOTICE, untrusted, visible } from "../visible.ts";

const shape = z.strictObject({
  result_id: z.string().describe("From an earlier answer"),
  row: z.string().describe("Index over all pages, from 0, or totals"),
  measure: z.string().describe("Its measure column"),
  limit: z.number().optional().describe("1–200, default 50"),
});
const plain = zodInput(shape);

/** An index is a number to most who write one, and one type is all that a portable schema can name. */
const input: ToolInput<z.output<typeof shape>> = {
  published: plain.published,
  parse: (raw) => plain.parse(isRecord(raw) && typeof raw["row"] === "number" ? { ...raw, row: String(raw["row"]) } : raw),
};

/** The issues behind one number. */
export function drillDown(): Tool {
  return defineTool({
    name: "drill_down",
    title: "Open up a number",
    description: "The issues behind one number of a result, each with what it contributes.",
    input,
    output: envelopeSchema("columns, rows, total, issues, units"),
    handle: async ({ limit, ...request }, { pipeline, principal, options }) =>
      drillAnswer(await pipeline.drill(principal, { ...request, ...(limit === undefined ? {} : { limit }) }, options)),
  });
}

function drillAnswer(result: DrillResult): Answer {
  const { data, meta } = result;
  const { units } = data;
  return {
    text: [
      `${meta.measure.as} (${meta.measure.name} ${meta.measure.agg}, version ${meta.measure.version}) of ${meta.row === "totals" ? "the totals" : `row ${meta.row}`} is ${meta.number === null ? "none" : cellText(meta.number)}: ${meta.adds_up}`,
      ...meta.warnings.map((warning) => `warning: ${visible(warning)}`),
      untrusted([
        ...(Object.keys(meta.place).length === 0 ? [] : [`row: ${Object.entries(meta.place).map(placeText).join(", ")}`]),
        ...(units === undefined ? [] : ["units:", ...tableLines(units)]),
        ...(units === undefined ? [] : ["rows:"]),
        ...tableLines(data),
      ]),
      `${data.rows.length} of ${data.total} rows, ${data.issues} issues${units === undefined ? "" : `; ${units.rows.length} of ${units.total} units`}; data as of ${meta.data_as_of ?? "never imported"}; time zone ${meta.timezone}`,
    ].join("\n"),
    structured: { success: true, data, meta: { ...meta, notice: DATA_NOTICE } },
  };
}

const placeText = ([name, value]: [string, Cell]): string => `${name} ${value === null ? "none" : cellText(value)}`;

function tableLines({ columns, rows }: { columns: readonly DrillResultColumn[]; rows: readonly (readonly Cell[])[] }): string[] {
  return [columns.map(({ name }) => name).join(","), ...rows.map((row) => row.map(cellText).join(","))];
}
