import { headLine } from "../audit/heads.ts";
import type { Outcome } from "../db/isolation/rule.ts";
import type { Flags, Host } from "./host.ts";

/** Proves the walls on the live database and prints each rule; false with findings. */
export async function proveIsolation(host: Host, flags: Flags, { format }: { readonly format: "table" | "json" }): Promise<boolean> {
  const product = await host.open(flags);
  try {
    const outcomes = await product.proveIsolation();
    const count = outcomes.reduce((sum, outcome) => sum + outcome.findings.length, 0);
    if (format === "json") host.write(`${JSON.stringify({ ok: count === 0, findings: count, rules: outcomes }, null, 2)}\n`);
    else host.write(`${outcomes.map(outcomeText).join("")}\n${summaryOf(outcomes, count)}\n`);
    return count === 0;
  } finally {
    await product.close();
  }
}

function outcomeText({ id, means, findings, fix, notShown }: Outcome): string {
  const state = findings.length > 0 ? "FINDING" : notShown === undefined ? "ok     " : "unshown";
  const lines = [
    `${state}  ${id.padEnd(28)}  ${means}`,
    ...findings.map(({ object, detail }) => `           ${oneLine(object)}: ${oneLine(detail)}`),
    ...(findings.length === 0 ? [] : [`           fix: ${fix}`]),
    ...(notShown === undefined ? [] : [`           not shown: ${notShown}`]),
  ];
  return `${lines.join("\n")}\n`;
}

/** Names in a database are whatever somebody typed. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ");
}

function summaryOf(outcomes: readonly Outcome[], count: number): string {
  const unshown = outcomes.filter((outcome) => outcome.notShown !== undefined).length;
  const rest = unshown === 0 ? "" : `, ${unshown} not shown on this database`;
  return count === 0 ? `${outcomes.length} checks: no findings${rest}` : `${outcomes.length} checks: ${count} findings${rest}`;
}

/** Verifies the audit trail of one tenant or of all and names the first broken row of each; false when one is broken. */
export async function auditVerify(
  host: Host,
  flags: Flags,
  options: { readonly tenant?: string; readonly heads?: string },
): Promise<boolean> {
  const product = await host.open(flags);
  try {
    const { tenant, heads: headsFile } = options;
    const chains = await product.verifyTrails({
      ...(tenant === undefined ? {} : { tenant }),
      ...(headsFile === undefined ? {} : { headsFile }),
    });
    for (const { tenant: name, report } of chains) {
      const from = report.anchor === undefined ? "" : ` after row ${report.anchor.seq}, where it was pruned`;
      if (report.broken === undefined) host.write(`ok      ${name}: ${report.rows} rows${from}, unbroken\n`);
      else host.write(`BROKEN  ${name}: at row ${report.broken.seq} (${report.broken.kind}): ${report.broken.detail}\n`);
    }
    if (chains.length === 0) host.write("no tenants yet, so no trail\n");
    return chains.every(({ report }) => report.broken === undefined);
  } finally {
    await product.close();
  }
}

/** Prints the newest row of every chain, one JSON line a tenant, to be kept outside the database. */
export async function auditHeads(host: Host, flags: Flags): Promise<void> {
  const product = await host.open(flags);
  try {
    for (const head of await product.exportHeads()) host.write(`${headLine(head)}\n`);
  } finally {
    await product.close();
  }
}

/** Drops the trail's whole months before `before`. */
export async function auditPrune(host: Host, flags: Flags, { before }: { readonly before: string }): Promise<void> {
  const product = await host.open(flags);
  try {
    const months = await product.pruneTrails(before);
    for (const { month, tenants } of months)
      host.write(`dropped ${month.replace("_", "-")}, of ${tenants} tenants; their chains go on after it\n`);
    if (months.length === 0) host.write(`nothing is older than ${before}\n`);
  } finally {
    await product.close();
  }
}
