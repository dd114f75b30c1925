import { type Command, Option } from "commander";
import type { Flags } from "./host.ts";

/** Options that every command takes, or that are settings. */
export interface Common {
  readonly tenant?: string;
  readonly user?: string;
  readonly databaseUrl?: string;
  readonly dataDir?: string;
  readonly catalogDir?: string;
  readonly logLevel?: string;
}

/** Options that are settings, under their name in the environment. */
export function flagsOf(options: Common): Flags {
  return {
    METRICGATE_TENANT: options.tenant,
    METRICGATE_USER: options.user,
    METRICGATE_DATABASE_URL: options.databaseUrl,
    METRICGATE_DATA_DIR: options.dataDir,
    METRICGATE_CATALOG_DIR: options.catalogDir,
    METRICGATE_LOG_LEVEL: options.logLevel,
  };
}

/** A subcommand with the options that every command takes. */
export function command(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .addOption(new Option("--database-url <url>", "PostgreSQL to use instead of the embedded database (METRICGATE_DATABASE_URL)"))
    .addOption(new Option("--data-dir <folder>", "where the embedded database lives (METRICGATE_DATA_DIR)"))
    .addOption(new Option("--catalog-dir <folder>", "catalog to answer from (METRICGATE_CATALOG_DIR)"))
    .addOption(new Option("--log-level <level>", "trace, debug, info, warn, error, fatal or silent (METRICGATE_LOG_LEVEL)"));
}

/** A command's end when it found something wrong. */
export function failUnless(ok: boolean): void {
  if (!ok) process.exitCode = 1;
}
