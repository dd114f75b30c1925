import { type Flags, type Host, UsageError } from "./host.ts";

const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_PORT = 8765;

/** `8765`, `host`, `host:8765` or `[::1]:8765`. Throws UsageError. */
export function parseAddress(text: string | undefined): { host: string; port: number } {
  if (text === undefined || text === "") return { host: DEFAULT_HOST, port: DEFAULT_PORT };
  const found = /^(?:(?<port>\d{1,5})|(?:\[(?<v6>[0-9a-f:]+)\]|(?<host>(?!\d+(?::|$))[^:[\]\s]+))(?::(?<of>\d{1,5}))?)$/i.exec(
    text,
  )?.groups;
  const port = Number(found?.["port"] ?? found?.["of"] ?? DEFAULT_PORT);
  if (!found || port > 65_535) throw new UsageError(`--http takes host:port, as in 127.0.0.1:8765; not ${JSON.stringify(text)}`);
  return { host: found["v6"] ?? found["host"] ?? DEFAULT_HOST, port };
}

/** Serves one client over stdio, or many over HTTP until stopped; not where nobody, or anybody, could be let in. */
export async function serve(host: Host, flags: Flags, { http }: { readonly http?: string | boolean }): Promise<void> {
  const address = http === undefined || http === false ? undefined : parseAddress(http === true ? undefined : http);
  const product = await host.open(flags, { demo: true, metrics: address !== undefined });
  try {
    if (address) {
      const { url } = await product.serveHttp(address.host, address.port);
      host.warn(`metricgate ${product.version} serves MCP at ${url}\n`);
      await host.stopped();
    } else {
      const { closed } = await product.serveStdio();
      await Promise.race([closed, host.stopped()]);
    }
  } finally {
    await product.close();
    host.leave();
  }
}
