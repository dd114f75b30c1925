import type { ExportedHead } from "../audit/heads.ts";
import type { PrunedMonth } from "../audit/prune.ts";
import type { TenantChain } from "../audit/verify.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Outcome } from "../db/isolation/rule.ts";
import type { ListedCredential, RotateReport } from "../db/instance-credentials.ts";
import type { TenantDirectory } from "../db/tenant-directory.ts";
import type { ImportProgress, ImportReport } from "../ingest/import.ts";
import type { ImportFormat } from "../ingest/formats.ts";
import type { Pipeline } from "../pipeline.ts";
import type { EmbedProgress, EmbedReport } from "../search/embed-issues.ts";
import type { AllowList, Principal, Scope } from "../tenant.ts";

/** Settings given on the command line, by their name in the environment. */
export type Flags = Readonly<Record<string, string | undefined>>;

/** A running protocol server. */
export interface Serving {
  /** Where clients connect; absent for stdio. */
  readonly url?: string;
  /** Settles when the client has gone (stdio). */
  readonly closed?: Promise<void>;
}

/** What to load, from where, into what. */
export interface ImportCommand {
  readonly format: ImportFormat;
  readonly path: string;
  /** Short name of the tenant. */
  readonly tenant: string;
  readonly instance: string;
  /** File with the operator's view of statuses, bug types and escape labels. */
  readonly mappingFile?: string;
  readonly onProgress?: (progress: ImportProgress) => void;
}

/** One tenant's index of issues, built anew. */
export interface RebuiltIndex {
  readonly tenant: string;
  readonly issues: number;
  readonly language: string;
  readonly durationMs: number;
}

/** A new API key, as an operator orders it. */
export interface KeyOrder {
  /** Short name of the tenant. */
  readonly tenant: string;
  readonly name: string;
  /** Who acts; absent: the key itself. */
  readonly user?: string;
  readonly scopes: readonly Scope[];
  readonly allowed: AllowList;
  readonly expiresAt?: Date;
}

/** An API key as it may be shown. Instants are ISO text, null for never. */
export interface ListedKey {
  readonly keyId: string;
  readonly tenant: string;
  readonly name: string;
  readonly user: string;
  readonly scopes: readonly string[];
  readonly allowed: AllowList;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
  /** `unreadable`: hashed with a key that the key ring no longer has. */
  readonly state: "active" | "revoked" | "expired" | "unreadable";
}

/** A tracker's credential: whose, and under which name. */
export interface CredentialPlace {
  readonly tenant: string;
  readonly instance: string;
  readonly name: string;
}

/** What an operator does with keys and secrets. Unknown tenants, instances, keys and credentials are NOT_FOUND. */
export interface Access {
  /** The whole key is told here, once. */
  createKey(order: KeyOrder): Promise<{ readonly key: string; readonly keyId: string; readonly user: string }>;
  listKeys(): Promise<readonly ListedKey[]>;
  revokeKey(keyId: string): Promise<void>;
  /** With `isFernet` the value is a Fernet token, opened by METRICGATE_FERNET_KEY. */
  setCredential(place: CredentialPlace, value: string, isFernet: boolean): Promise<void>;
  listCredentials(tenant: string, instance: string): Promise<readonly ListedCredential[]>;
  removeCredential(place: CredentialPlace): Promise<void>;
  /** `olderKeys` counts active API keys that rest on a key other than the primary one. */
  rotateSecrets(): Promise<RotateReport & { readonly primary: string; readonly olderKeys: number }>;
}

/** What the commands need of the product, put together by the composition root. */
export interface Product {
  readonly version: string;
  readonly catalog: Catalog;
  readonly pipeline: Pipeline;
  readonly identify: () => Promise<Principal>;
  readonly tenants: () => Promise<TenantDirectory>;
  readonly access: () => Promise<Access>;
  /** What was migrated, as `number-name`; for the embedded database always nothing, since it migrates when it opens. */
  readonly migrate: () => Promise<readonly string[]>;
  readonly importData: (command: ImportCommand) => Promise<ImportReport>;
  /** Builds the index of a tenant's issues anew, for all tenants where none is named; in another language where one is. */
  readonly rebuildSearch: (order: { readonly tenant?: string; readonly language?: string }) => Promise<readonly RebuiltIndex[]>;
  /** Embeds issues by the configured model, until all are, the budget is used up, or it is stopped. */
  readonly embedIssues: (order: {
    readonly tenant?: string;
    readonly maxCharacters: number;
    readonly signal: AbortSignal;
    readonly onProgress?: (tenant: string, progress: EmbedProgress) => void;
  }) => Promise<readonly (EmbedReport & { readonly tenant: string })[]>;
  readonly check: () => Promise<readonly { readonly what: string; readonly ok: boolean; readonly found: string; readonly fix?: string }[]>;
  /** Each rule and trial of the tenant walls, on the live database. */
  readonly proveIsolation: () => Promise<readonly Outcome[]>;
  readonly verifyTrails: (options: { readonly tenant?: string; readonly headsFile?: string }) => Promise<readonly TenantChain[]>;
  readonly exportHeads: () => Promise<readonly ExportedHead[]>;
  /** Drops what is older than a month, `2026-01`. */
  readonly pruneTrails: (before: string) => Promise<readonly PrunedMonth[]>;
  /** Begins to run background jobs. */
  readonly work: () => Promise<void>;
  readonly serveStdio: () => Promise<Serving>;
  readonly serveHttp: (host: string, port: number) => Promise<Serving>;
  close(): Promise<void>;
}

/** The world a command runs in. */
export interface Host {
  readonly write: (text: string) => void;
  readonly warn: (text: string) => void;
  readonly readStdin: () => Promise<string>;
  /** Whether progress lines make sense: a person watches stderr. */
  readonly isInteractive: boolean;
  readonly catalogDirectory: (flags: Flags) => string;
  readonly open: (flags: Flags, options?: { readonly demo?: boolean; readonly metrics?: boolean }) => Promise<Product>;
  /** Settles at the first SIGINT or SIGTERM; a second one ends the process with status 1. */
  readonly stopped: () => Promise<void>;
  /** Ends the process in a moment, whatever still holds it: for servers, whose output nobody waits for any more. */
  readonly leave: () => void;
}

/** A wrong use of the command line: one line, exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
