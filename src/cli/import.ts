import type { Flags, Host, ImportCommand } from "./host.ts";

const MAX_REASONS = 20;

/** Loads or updates an instance; says what was read, stored and refused. */
export async function importCommand(host: Host, flags: Flags, order: Omit<ImportCommand, "onProgress">): Promise<void> {
  const product = await host.open(flags);
  try {
    const report = await product.importData(host.isInteractive ? { ...order, onProgress: progressLine(host) } : order);
    if (host.isInteractive) host.warn("\r\u001B[K");
    const counts = Object.entries(report.stored).filter(([, count]) => count > 0);
    host.write(
      `${order.tenant}/${report.instanceId}: ${counts.map(([kind, count]) => `${count} ${kind}`).join(", ") || "nothing"} stored (${report.newIssues} new issues) in ${(report.durationMs / 1000).toFixed(1)} s.\n`,
    );
    host.write(
      `Read ${Object.entries(report.read)
        .map(([kind, count]) => `${count} ${kind}`)
        .join(", ")}; refused ${report.refusedCount}. Data as of ${report.dataAsOf ?? "never"}.\n`,
    );
    for (const { place, reason } of report.refused.slice(0, MAX_REASONS)) host.warn(`refused ${place}: ${reason}\n`);
    if (report.refusedCount > MAX_REASONS) host.warn(`… and ${report.refusedCount - MAX_REASONS} more refused rows\n`);
    for (const { message, count, place } of report.warnings) host.warn(`note: ${message} (${count}, first at ${place})\n`);
    for (const { name, ref } of report.unmappedStatuses)
      host.warn(`note: status "${name}" (${ref}) belongs to no category; name one with --mapping\n`);
    for (const { name } of report.statusDisagreements)
      host.warn(`note: issues disagree about the category of status "${name}"; the most frequent was taken\n`);
  } finally {
    await product.close();
  }
}

/** One line that rewrites itself, a few times a second. */
function progressLine(host: Host): NonNullable<ImportCommand["onProgress"]> {
  let shownMs = 0;
  return ({ stage, read }) => {
    if (performance.now() - shownMs < 200 && stage === "reading") return;
    shownMs = performance.now();
    host.warn(
      `\r\u001B[K${stage}: ${Object.entries(read)
        .map(([kind, count]) => `${count} ${kind}`)
        .join(", ")}`,
    );
  };
}
