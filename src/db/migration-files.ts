import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { must } from "../must.ts";

/** One numbered SQL file. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
  /** First line `-- breaking`: a server that does not know this migration must stop. */
  readonly breaking: boolean;
}

/** Next to src/ and to dist/ alike. */
const FOLDER = new URL("../../migrations/", import.meta.url);

function readSql(name: string): string {
  return readFileSync(new URL(name, FOLDER), "utf8");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A migration from its file's name ('0002-walls.sql') and text. */
export function migrationOf(file: string, sql: string): Migration {
  const [, number, name] = must(/^(\d{4})-(.+)\.sql$/.exec(file), "a migration named NNNN-name.sql");
  return {
    number: Number(number),
    name: must(name, "a migration's name"),
    sql,
    sha256: sha256(sql),
    breaking: /^--\s*breaking\b/.test(sql),
  };
}

/** The numbered migrations of this release, in order. Throws where the numbers are not 1, 2, 3, … */
export function loadMigrations(): readonly Migration[] {
  const files = readdirSync(fileURLToPath(FOLDER))
    .filter((file) => /^\d.*\.sql$/.test(file))
    .sort();
  const migrations = files.map((file) => migrationOf(file, readSql(file)));
  migrations.forEach((migration, index) => {
    if (migration.number !== index + 1) throw new Error(`migration ${index + 1} is missing or doubled`);
  });
  return migrations;
}

/** Roles and rights (superuser's part), and the table that records what was applied. */
export function loadFoundations(): { readonly bootstrap: string; readonly ledger: string } {
  return { bootstrap: readSql("bootstrap.sql"), ledger: readSql("ledger.sql") };
}

/** Changes whenever a fresh database would come out differently. */
export function schemaFingerprint(): string {
  const { bootstrap, ledger } = loadFoundations();
  return sha256([bootstrap, ledger, ...loadMigrations().map((migration) => migration.sha256)].join("\n"));
}
