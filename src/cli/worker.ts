import type { Flags, Host } from "./host.ts";

/** Runs background jobs, and nothing else, until stopped; what runs then is put back in line. */
export async function worker(host: Host, flags: Flags): Promise<void> {
  const product = await host.open(flags);
  try {
    await product.work();
    host.warn(`metricgate ${product.version} runs background jobs\n`);
    await host.stopped();
  } finally {
    await product.close();
    host.leave();
  }
}
