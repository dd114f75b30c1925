import { readFile } from "node:fs/promises";
import { withinCall } from "../observe/call.ts";
import type { Result } from "../result/result.ts";
import { safeCsv } from "../result/csv.ts";
import { type Flags, type Host, type Product, UsageError } from "./host.ts";
import { resultTable } from "./table.ts";

export interface QueryOptions {
  readonly format: "table" | "json" | "csv";
  readonly explain: boolean;
}

/** Runs one spec from a file or standard input (`-`) and prints the whole answer. */
export async function query(host: Host, file: string, flags: Flags, options: QueryOptions): Promise<void> {
  const spec = await readSpec(host, file);
  const product = await host.open(flags, { demo: true });
  try {
    const principal = await product.identify();
    const result = await withinCall({ tool: "query", transport: "command" }, () =>
      wholeResult(product, principal, options.explain ? asDryRun(spec) : spec),
    );
    host.write(render(result, options));
    if (options.format !== "json") host.warn(notes(result));
  } finally {
    await product.close();
  }
}

/** Anything but an object stays what it is, to be refused as a spec. */
function asDryRun(spec: unknown): unknown {
  return spec !== null && typeof spec === "object" && !Array.isArray(spec) ? { ...spec, dry_run: true } : spec;
}

async function readSpec(host: Host, file: string): Promise<unknown> {
  const text = file === "-" ? await host.readStdin() : await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) throw new UsageError(`cannot read ${file}; give a file with a spec, or - for standard input`);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new UsageError(`${file === "-" ? "standard input" : file} is not JSON: ${error instanceof Error ? error.message : ""}`);
  }
}

/** All rows of an answer, where a conversation would get the first page. */
async function wholeResult({ pipeline }: Product, principal: Awaited<ReturnType<Product["identify"]>>, spec: unknown): Promise<Result> {
  const first = await pipeline.run(principal, spec);
  if (first.data.next_cursor === null) return first;
  return pipeline.page(principal, { result_id: first.meta.result_id, limit: 1000 });
}

function render(result: Result, { format }: QueryOptions): string {
  if (format === "json") return `${JSON.stringify({ success: true, ...result }, null, 2)}\n`;
  const { explanation } = result.meta;
  if (explanation) {
    const { plan, statement, estimate, admission } = explanation;
    return `plan:\n${JSON.stringify(plan, null, 2)}\n\nstatement:\n${statement}\n\nestimate: ${estimate.rows} rows, cost ${estimate.cost}\n${admission}\n`;
  }
  if (format === "table") return resultTable(result);
  const { columns, rows, totals } = result.data;
  return safeCsv(
    columns.map((column) => column.name),
    totals ? [...rows, totals] : rows,
  );
}

function notes({ meta }: Result): string {
  const lines = [meta.summary, ...meta.warnings.map((warning) => `note: ${warning}`), ...meta.deprecations.map((text) => `note: ${text}`)];
  return `${lines.join("\n")}\n`;
}
