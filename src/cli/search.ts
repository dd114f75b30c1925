import type { Flags, Host } from "./host.ts";

/** Builds the index of issues anew and says how long each tenant's took. */
export async function searchRebuild(
  host: Host,
  flags: Flags,
  { tenant, language }: { readonly tenant?: string; readonly language?: string },
): Promise<void> {
  const product = await host.open(flags);
  try {
    const order = { ...(tenant === undefined ? {} : { tenant }), ...(language === undefined ? {} : { language }) };
    for (const built of await product.rebuildSearch(order))
      host.write(`${built.tenant}: ${built.issues} issues indexed (${built.language}) in ${(built.durationMs / 1000).toFixed(1)} s\n`);
  } finally {
    await product.close();
  }
}
