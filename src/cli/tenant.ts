import { canonicalZone } from "../spec/zone.ts";
import { type Flags, type Host, UsageError } from "./host.ts";
import { textTable } from "./table.ts";

const DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

export interface NewTenantOptions {
  readonly name?: string;
  readonly timezone: string;
  readonly weekStart: string;
}

export async function tenantCreate(host: Host, flags: Flags, slug: string, options: NewTenantOptions): Promise<void> {
  const weekStart = DAYS.indexOf(options.weekStart.toLowerCase()) + 1;
  if (weekStart === 0) throw new UsageError(`--week-start takes a day, one of ${DAYS.join(", ")}`);
  if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(slug))
    throw new UsageError("a tenant's short name is made of a-z, 0-9, - and _, up to 63 of them");
  const product = await host.open(flags);
  try {
    const tenant = await (
      await product.tenants()
    ).create({ slug, name: options.name ?? slug, timezone: zone(options.timezone), weekStart });
    host.write(`created tenant ${tenant.slug} (weeks start on ${DAYS[tenant.weekStart - 1]}, zone ${tenant.timezone})\n`);
  } finally {
    await product.close();
  }
}

export async function tenantList(host: Host, flags: Flags): Promise<void> {
  const product = await host.open(flags);
  try {
    const tenants = await (await product.tenants()).list();
    const rows = tenants.map(({ slug, name, timezone, weekStart }) => [slug, name, timezone, DAYS[weekStart - 1] ?? ""]);
    host.write(
      tenants.length === 0
        ? "no tenants yet; `metricgate tenant create <name>` makes one\n"
        : textTable(["tenant", "name", "timezone", "week starts"], rows),
    );
  } finally {
    await product.close();
  }
}

function zone(name: string): string {
  const canonical = canonicalZone(name);
  if (canonical === undefined) throw new UsageError(`--timezone takes an IANA zone such as Europe/Prague; not ${JSON.stringify(name)}`);
  return canonical;
}
