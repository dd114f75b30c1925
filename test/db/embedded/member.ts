/** One process on a data directory, driven over stdin: `add`, `count`, `role`, `close`; answers one JSON line each. */
import { createInterface } from "node:readline";
import { openEmbedded } from "../../../src/db/embedded/embedded.ts";
import { withTenantWrite } from "../../../src/db/tenant-session.ts";
import { AppError } from "../../../src/errors.ts";
import { readAsTenant } from "../../../src/execute/tenant-transaction.ts";
import { must } from "../../../src/must.ts";
import { testTenant } from "../../support/tenants.ts";

const tenant = testTenant({ id: 7 });
const database = await openEmbedded({ dataDir: must(process.argv[2], "a data directory"), observe: () => undefined });
const say = (answer: unknown): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);

const commands: Record<string, () => Promise<unknown>> = {
  role: async () => database.role(),
  add: async () => {
    await withTenantWrite(database, 7, async (client) => {
      const { rows } = await client.query<{ n: number }>("select coalesce(max(sprint_no), 0) + 1 as n from warehouse.sprint");
      const n = must(rows[0], "a row").n;
      await client.query("insert into warehouse.instance (tenant_id, instance_id, kind) values (7, 'i', 'neutral') on conflict do nothing");
      await client.query("insert into warehouse.sprint (tenant_id, sprint_no, instance_id, sprint_id) values (7, $1, 'i', $2)", [
        n,
        String(n),
      ]);
    });
    return "added";
  },
  count: async () => {
    const statement = { text: "select count(*) from warehouse.sprint where tenant_id = $1", values: [7] };
    return (await readAsTenant(database, tenant, statement, { timeoutMs: 10_000 })).rows[0]?.[0];
  },
  close: async () => {
    await database.close();
    return "closed";
  },
};

say("ready");
for await (const line of createInterface(process.stdin)) {
  const command = must(commands[line], "a command");
  say(await command().catch((error: unknown) => (error instanceof AppError ? error.code : String(error))));
  if (line === "close") break;
}
