import { readFile, writeFile } from "node:fs/promises";
import { extname } from "node:path";
import { withinCall } from "../observe/call.ts";
import type { Result } from "../result/result.ts";
import { safeCsv } from "../result/csv.ts";
import { type Flags, type Host, type Product, UsageError } from "./host.ts";
import { resultTable } from "./table.ts";

export interface QueryOptions {
  readonly format: "table" | "json" | "csv";
  readonly explain: boolean;
  /** File for a picture of the answer; its ending says which kind. */
  readonly chart?: string;
}

type Caller = Awaited<ReturnType<Product["identify"]>>;

/** Runs one spec from a file or standard input (`-`) and prints the whole answer. */
export async function query(host: Host, file: string, flags: Flags, options: QueryOptions): Promise<void> {
  const draw = options.chart === undefined ? undefined : pictureFile(options.chart, options);
  const spec = await readSpec(host, file);
  const product = await host.open(flags, { demo: true });
  try {
    const principal = await product.identify();
    await withinCall({ tool: "query", transport: "command" }, async () => {
      const result = await wholeResult(product, principal, options.explain ? asDryRun(spec) : spec);
      host.write(render(result, options));
      if (options.format !== "json") host.warn(notes(result));
      if (draw !== undefined) host.warn(await writePicture(product, principal, result, draw));
    });
  } finally {
    await product.close();
  }
}

interface PictureFile {
  readonly file: string;
  readonly format: "png" | "svg";
}

function pictureFile(file: string, { explain }: QueryOptions): PictureFile {
  const format = extname(file).slice(1).toLowerCase();
  if (format !== "png" && format !== "svg") throw new UsageError(`--chart takes a file that ends in .png or .svg, not ${file}`);
  if (explain) throw new UsageError("--chart needs an answer, and --explain runs nothing");
  return { file, format };
}

/** Draws an answer as its spec wished, or as suits it; returns a line about it. */
async function writePicture({ pipeline }: Product, principal: Caller, { meta }: Result, { file, format }: PictureFile): Promise<string> {
  const { content, reason, alternatives } = await pipeline.chart(principal, { ...meta.spec.chart, result_id: meta.result_id, format });
  try {
    if (content.format === "png") await writeFile(file, content.png);
    else if (content.format === "svg") await writeFile(file, content.svg);
  } catch {
    throw new UsageError(`cannot write ${file}`);
  }
  const others = alternatives.length === 0 ? "" : `; also possible: ${alternatives.join(", ")}`;
  return `chart in ${file}: ${reason}${others}\n`;
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
async function wholeResult({ pipeline }: Product, principal: Caller, spec: unknown): Promise<Result> {
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
