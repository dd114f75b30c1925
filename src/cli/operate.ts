import type { Flags, Host } from "./host.ts";

/** Brings the schema up to this release. */
export async function migrateCommand(host: Host, flags: Flags): Promise<void> {
  const product = await host.open(flags);
  try {
    const applied = await product.migrate();
    host.write(applied.length === 0 ? "the schema is up to date\n" : `applied ${applied.join(", ")}\n`);
  } finally {
    await product.close();
  }
}

/** Looks at everything a server needs and says how to mend what is not well; false when something is not. */
export async function doctor(host: Host, flags: Flags): Promise<boolean> {
  const product = await host.open(flags);
  try {
    host.write(`ok    catalog: ${product.catalog.name} ${product.catalog.version}, ${product.catalog.metrics.size} metrics, consistent\n`);
    const checks = await product.check();
    for (const { what, ok, found, fix } of checks)
      host.write(`${ok ? "ok   " : "FAIL "} ${what}: ${found}${fix === undefined ? "" : `\n      fix: ${fix}`}\n`);
    return checks.every((check) => check.ok);
  } finally {
    await product.close();
  }
}
