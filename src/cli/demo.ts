import type { Flags, Host, Product } from "./host.ts";
import { parseAddress } from "./serve.ts";
import { connectSnippets } from "./snippets.ts";
import { resultTable } from "./table.ts";

/** The question a newcomer sees answered: the demo tenant's story in one table. */
const QUESTION = {
  text: "How did our sprints go, month by month and team by team?",
  spec: {
    measures: [{ name: "completed_issues" }, { name: "spillover_ratio" }, { name: "scope_churn_ratio" }],
    dimensions: ["project_key"],
    time: { grain: "month", range: "last_6_months" },
  },
};

/** What `npm start` runs: a database with two demo tenants, one answered question, how to connect; stays up. */
export async function demo(host: Host, flags: Flags, { http }: { readonly http?: string }): Promise<void> {
  const address = parseAddress(http);
  const product = await host.open(flags, { demo: true, metrics: true });
  try {
    const answered = await answer(product);
    const { url = "" } = await product.serveHttp(address.host, address.port);
    host.write(`metricgate ${product.version}: numbers about software delivery for any LLM client, without SQL.\n\n${answered}\n`);
    host.write(`${connectSnippets(url)}\nServing MCP at ${url}  (Ctrl-C stops it)\n`);
    await host.stopped();
  } finally {
    await product.close();
  }
}

async function answer({ pipeline, identify }: Product): Promise<string> {
  const principal = await identify();
  const result = await pipeline.run(principal, QUESTION.spec);
  const notes = result.meta.warnings.map((warning) => `  note: ${warning}\n`).join("");
  return `A question:  ${QUESTION.text}\nAs a spec:   ${JSON.stringify(QUESTION.spec)}\nThe answer:  ${result.meta.summary} (${result.data.query_time_ms} ms)\n\n${resultTable(result)}${notes}`;
}
