import { type Flags, type Host, UsageError } from "./host.ts";

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

/** Embeds what has no embedding yet and says how far it came; stopped, it goes on at the next run. */
export async function searchEmbed(
  host: Host,
  flags: Flags,
  { tenant, maxCharacters }: { readonly tenant?: string; readonly maxCharacters: string },
): Promise<void> {
  if (!/^\d{1,12}$/.test(maxCharacters)) throw new UsageError("--max-characters takes a whole number");
  const product = await host.open(flags);
  const controller = new AbortController();
  void host.stopped().then(() => controller.abort());
  try {
    const reports = await product.embedIssues({
      ...(tenant === undefined ? {} : { tenant }),
      maxCharacters: Number(maxCharacters),
      signal: controller.signal,
      ...(host.isInteractive
        ? { onProgress: (slug, { embedded, pending }) => host.warn(`\r\u001B[K${slug}: ${embedded} embedded, ${pending} to go`) }
        : {}),
    });
    for (const { tenant: slug, embedded, pending, refused, ended } of reports) {
      const left = refused === 0 ? "" : `, ${refused} refused by the service until their text changes`;
      host.write(`${slug}: ${embedded} issues embedded, ${pending} to go${left} (${ENDED[ended]})\n`);
    }
  } finally {
    await product.close();
  }
}

const ENDED = { done: "done", budget: "budget used up", aborted: "stopped", busy: "another process is at it" } as const;
