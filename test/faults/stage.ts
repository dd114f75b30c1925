import { access } from "../../src/access.ts";
import { readConfig } from "../../src/config.ts";
import { openNative } from "../../src/db/native.ts";
import { openKeyRing } from "../../src/identity.ts";
import { must } from "../../src/must.ts";
import { verifyTrails } from "../../src/oversight.ts";
import { SCOPES } from "../../src/tenant.ts";
import { asSuperuser, createScratch } from "../support/native-database.ts";
import { furnish, type MarkedTenant } from "./marked-tenants.ts";

const RING = `k1:${Buffer.alloc(32, 5).toString("base64")}`;

/** A database with ten marked tenants, each with an API key, and the settings of a server on it. */
export interface Stage {
  readonly url: string;
  readonly tenants: readonly (MarkedTenant & { readonly key: string })[];
  readonly environment: Readonly<Record<string, string>>;
  /** Answers that the trail holds as given, from row `sinceSeq` of each tenant on; throws where a chain is broken. */
  readonly recordedAnswers: () => Promise<number>;
  readonly close: () => Promise<void>;
}

export async function openStage(serverUrl: string, redisUrl: string | undefined): Promise<Stage> {
  const { url, drop } = await createScratch(serverUrl);
  // What was committed must survive a crash, also where the services were started to be fast rather than durable.
  await asSuperuser(url, (admin) => admin.query(`alter database "${new URL(url).pathname.slice(1)}" set synchronous_commit = on`));
  const environment = {
    METRICGATE_DATABASE_URL: url,
    METRICGATE_SECRET_KEYS: RING,
    METRICGATE_AUTH: "required",
    METRICGATE_RATE_LIMIT_TENANT: "1000000",
    METRICGATE_RATE_LIMIT_PRINCIPAL: "1000000",
    ...(redisUrl === undefined ? {} : { METRICGATE_REDIS_URL: redisUrl }),
  };
  const config = readConfig(environment, "/nowhere");
  const database = openNative({ url, observe: () => undefined });
  const { createKey } = access(database, openKeyRing(config), config);
  const tenants: Stage["tenants"][number][] = [];
  for (const own of await furnish(database)) {
    const { key } = await createKey({ tenant: own.tenant.slug, name: "crowd", user: "crowd", scopes: SCOPES, allowed: {} });
    tenants.push({ ...own, key });
  }
  await database.close();
  return {
    url,
    tenants,
    environment,
    recordedAnswers: async () => {
      const auditor = openNative({ url, observe: () => undefined });
      try {
        for (const { tenant, report } of await verifyTrails(auditor, {}))
          if (report.broken !== undefined) throw new Error(`the trail of ${tenant} is broken: ${JSON.stringify(report.broken)}`);
      } finally {
        await auditor.close();
      }
      return asSuperuser(url, async (admin) => {
        const { rows } = await admin.query<{ n: number }>("select count(*)::int as n from audit.entry where outcome = 'ok'");
        return must(rows[0], "a count").n;
      });
    },
    close: drop,
  };
}
