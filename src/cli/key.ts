import { type AllowList, DEFAULT_SCOPES, type Scope, SCOPES } from "../tenant.ts";
import { type Flags, type Host, type ListedKey, type Product, UsageError } from "./host.ts";
import { textTable } from "./table.ts";

export interface NewKeyOptions {
  readonly tenant: string;
  readonly name: string;
  readonly user?: string;
  readonly scopes?: string;
  readonly metrics?: string;
  readonly projects?: string;
  readonly instances?: string;
  readonly expires?: string;
}

const MAX_NAME_CHARACTERS = 200;
const DAY_MS = 86_400_000;

/** Makes a key and prints it alone on standard output, once; what to know of it goes to stderr. */
export async function keyCreate(host: Host, flags: Flags, options: NewKeyOptions): Promise<void> {
  const { tenant, user } = options;
  const name = shortText("--name", options.name);
  const scopes = scopesOf(options.scopes);
  const expiresAt = options.expires === undefined ? undefined : expiryOf(options.expires, new Date());
  const product = await host.open(flags);
  try {
    const allowed = allowedOf(options, product);
    const made = await (
      await product.access()
    ).createKey({
      tenant,
      name,
      scopes,
      allowed,
      ...(user === undefined ? {} : { user: shortText("--user", user) }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
    });
    host.write(`${made.key}\n`);
    host.warn(
      `key ${made.keyId} of tenant ${tenant} acts as ${made.user}${expiresAt === undefined ? "" : ` until ${expiresAt.toISOString()}`}; it is shown this once\n`,
    );
  } finally {
    await product.close();
  }
}

export async function keyList(host: Host, flags: Flags): Promise<void> {
  const product = await host.open(flags);
  try {
    const keys = await (await product.access()).listKeys();
    const header = ["key id", "tenant", "name", "user", "state", "scopes", "limited to", "expires", "last used"];
    host.write(keys.length === 0 ? "no API keys yet; `metricgate key create` makes one\n" : textTable(header, keys.map(rowOf)));
  } finally {
    await product.close();
  }
}

export async function keyRevoke(host: Host, flags: Flags, keyId: string): Promise<void> {
  const product = await host.open(flags);
  try {
    // People paste what they have; the whole key begins with what names it.
    const id = /^mgk_([0-9a-z]{16})_/.exec(keyId)?.[1] ?? keyId;
    await (await product.access()).revokeKey(id);
    host.write(`revoked key ${id}; running servers refuse it within 5 seconds\n`);
  } finally {
    await product.close();
  }
}

function rowOf({ keyId, tenant, name, user, state, scopes, allowed, expiresAt, lastUsedAt }: ListedKey): readonly string[] {
  const limits = Object.entries(allowed).map(([kind, names]: [string, readonly string[]]) => `${kind}: ${names.join(" ") || "none"}`);
  return [keyId, tenant, name, user, state, scopes.join(" "), limits.join("; ") || "–", dayOf(expiresAt), dayOf(lastUsedAt)];
}

function dayOf(instant: string | null): string {
  return instant === null ? "never" : `${instant.slice(0, 16).replace("T", " ")}Z`;
}

function scopesOf(text: string | undefined): readonly Scope[] {
  if (text === undefined) return DEFAULT_SCOPES;
  const wanted = listOf(text);
  const unknown = wanted.find((name) => !SCOPES.some((scope) => scope === name));
  if (unknown !== undefined || wanted.length === 0) throw new UsageError(`--scopes takes some of ${SCOPES.join(",")}`);
  return SCOPES.filter((scope) => wanted.includes(scope));
}

function allowedOf(options: NewKeyOptions, { catalog }: Product): AllowList {
  const metrics = options.metrics === undefined ? undefined : listOf(options.metrics);
  const unknown = metrics?.find((name) => !catalog.metrics.has(name));
  if (unknown !== undefined) throw new UsageError(`--metrics: there is no metric ${JSON.stringify(unknown)}; docs/catalog.md lists them`);
  return {
    ...(metrics === undefined ? {} : { metrics }),
    ...(options.projects === undefined ? {} : { projects: listOf(options.projects) }),
    ...(options.instances === undefined ? {} : { instances: listOf(options.instances) }),
  };
}

function listOf(text: string): readonly string[] {
  return [...new Set(text.split(",").map((part) => part.trim()))].filter((part) => part !== "");
}

function shortText(option: string, text: string): string {
  if (text !== "" && text.length <= MAX_NAME_CHARACTERS && !/[\p{Cc}\p{Cf}]/u.test(text)) return text;
  throw new UsageError(`${option} takes a text of one line, at most ${MAX_NAME_CHARACTERS} characters`);
}

/** `90d` from now, or a day in UTC at whose start the key ends. Throws UsageError. */
export function expiryOf(text: string, now: Date): Date {
  const days = /^([1-9]\d{0,4})d$/.exec(text)?.[1];
  const at =
    days === undefined
      ? new Date(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : Number.NaN)
      : new Date(now.getTime() + Number(days) * DAY_MS);
  if (Number.isNaN(at.getTime()))
    throw new UsageError(`--expires takes a number of days such as 90d, or a date such as 2027-01-31; not ${JSON.stringify(text)}`);
  if (at <= now) throw new UsageError(`--expires: ${text} has passed`);
  return at;
}
