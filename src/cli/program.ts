import { Command, InvalidArgumentError, Option } from "commander";
import { IMPORT_FORMATS, type ImportFormat } from "../ingest/formats.ts";
import { addAccess } from "./access-program.ts";
import { command, type Common, failUnless, flagsOf } from "./command.ts";
import type { Host } from "./host.ts";
import type { QueryOptions } from "./query.ts";
import { serve } from "./serve.ts";
import type { NewTenantOptions } from "./tenant.ts";

/** The command line. `exitCode` of the process tells failure: 1 found something wrong, 2 wrong use. */
export function program(host: Host, version: string): Command {
  const root = new Command("metricgate").description("Numbers about software delivery for any LLM client, without SQL.").version(version);
  root.configureOutput({ writeOut: host.write, writeErr: host.warn });
  root.exitOverride();
  addServing(root, host);
  addData(root, host);
  addOversight(root, host);
  addAccess(root, host);
  addCatalog(root, host);
  return root;
}

const withTenant = (made: Command): Command => made.option("--tenant <name>", "tenant to act for (METRICGATE_TENANT)");

function addServing(root: Command, host: Host): void {
  withTenant(command(root, "serve", "run the MCP server (stdio unless --http)"))
    .option("--stdio", "serve one client over standard input and output (the default)")
    .option("--http [host:port]", "serve over HTTP; 127.0.0.1:8765 when not given")
    .option("--user <name>", "user to act for (METRICGATE_USER)")
    .action((options: Common & { http?: string | boolean }) => serve(host, flagsOf(options), options));
  command(root, "worker", "run background jobs beside the servers, which run some themselves").action(async (options: Common) =>
    (await import("./worker.ts")).worker(host, flagsOf(options)),
  );
  command(root, "demo", "start with two demo tenants, answer one question, show how to connect")
    .option("--http <host:port>", "where to listen", "127.0.0.1:8765")
    .action(async (options: Common & { http: string }) => (await import("./demo.ts")).demo(host, flagsOf(options), options));
  withTenant(command(root, "query", "run one spec without a client"))
    .argument("<spec>", "file with the spec as JSON, or - for standard input")
    .addOption(new Option("--format <format>", "how to print").choices(["table", "json", "csv"]).default("table"))
    .option("--explain", "show the plan and the statement instead of running it", false)
    .option("--chart <file>", "draw the answer into a .png or .svg file, as the spec's chart or as suits it")
    .action(async (file: string, options: Common & QueryOptions) =>
      (await import("./query.ts")).query(host, file, flagsOf(options), options),
    );
}

function addData(root: Command, host: Host): void {
  command(root, "import", "load or update a tracker's data")
    .argument("<format>", IMPORT_FORMATS.join(" | "), formatOf)
    .argument("<path>", "file or folder to read")
    .requiredOption("--tenant <name>", "tenant to load into")
    .requiredOption("--instance <name>", "your name for the tracker, the same at every import")
    .option("--mapping <file>", "your view of statuses, bug types and escape labels (YAML or JSON)")
    .action(async (format: ImportFormat, path: string, options: Common & { tenant: string; instance: string; mapping?: string }) => {
      const { tenant, instance, mapping } = options;
      return (await import("./import.ts")).importCommand(host, flagsOf(options), {
        format,
        path,
        tenant,
        instance,
        ...(mapping === undefined ? {} : { mappingFile: mapping }),
      });
    });
  command(root, "migrate", "bring the database's schema up to this release").action(async (options: Common) =>
    (await import("./operate.ts")).migrateCommand(host, flagsOf(options)),
  );
  command(root, "doctor", "check everything; says how to mend what is not well").action(async (options: Common) =>
    failUnless(await (await import("./operate.ts")).doctor(host, flagsOf(options))),
  );
  const search = root.command("search").description("the index that issues are found by");
  command(search, "rebuild", "build the index anew from the stored issues")
    .option("--tenant <name>", "one tenant only")
    .option("--language <name>", "language that its texts are mostly in, as PostgreSQL names it; simple for none")
    .action(async (options: Common & { language?: string }) =>
      (await import("./search.ts")).searchRebuild(host, flagsOf(options), options),
    );
  command(search, "embed", "embed issues by the configured model, as far as they have not been yet")
    .option("--tenant <name>", "one tenant only")
    .option("--max-characters <number>", "most text that is sent to the model", "50000000")
    .action(async (options: Common & { maxCharacters: string }) =>
      (await import("./search.ts")).searchEmbed(host, flagsOf(options), options),
    );
  const tenant = root.command("tenant").description("make and list tenants");
  command(tenant, "create", "make a tenant")
    .argument("<name>", "short name: a-z, 0-9, - and _")
    .option("--name <text>", "name for people")
    .option("--timezone <zone>", "IANA zone of its days", "UTC")
    .option("--week-start <day>", "day its weeks start on", "monday")
    .action(async (slug: string, options: Common & NewTenantOptions) =>
      (await import("./tenant.ts")).tenantCreate(host, flagsOf(options), slug, options),
    );
  command(tenant, "list", "list the tenants").action(async (options: Common) =>
    (await import("./tenant.ts")).tenantList(host, flagsOf(options)),
  );
}

function addOversight(root: Command, host: Host): void {
  command(root, "prove-isolation", "prove the walls between tenants on the live database; exit status 1 with findings")
    .addOption(new Option("--format <format>", "how to print").choices(["table", "json"]).default("table"))
    .action(async (options: Common & { format: "table" | "json" }) =>
      failUnless(await (await import("./oversight.ts")).proveIsolation(host, flagsOf(options), options)),
    );
  const audit = root.command("audit").description("the trail of who asked what: verify, export, prune");
  command(audit, "verify", "check the chain of every tenant and name its first broken row")
    .option("--tenant <name>", "one tenant only")
    .option("--heads <file>", "compare with heads that were exported before; finds a tail cut off together with its head")
    .action(async (options: Common & { heads?: string }) =>
      failUnless(await (await import("./oversight.ts")).auditVerify(host, flagsOf(options), options)),
    );
  command(audit, "heads", "print each chain's newest hash as JSON lines, to be kept outside the database").action(async (options: Common) =>
    (await import("./oversight.ts")).auditHeads(host, flagsOf(options)),
  );
  command(audit, "prune", "drop whole months; what is left can still be verified")
    .requiredOption("--before <month>", "the first month to keep, as in 2026-01")
    .action(async (options: Common & { before: string }) => (await import("./oversight.ts")).auditPrune(host, flagsOf(options), options));
}

function addCatalog(root: Command, host: Host): void {
  const catalog = root.command("catalog").description("validate, document and compare catalogs");
  const directory = (options: Common): string => host.catalogDirectory(flagsOf(options));
  command(catalog, "check", "validate the definitions")
    .option("--record", "record the hashes of new versions first", false)
    .action(async (options: Common & { record: boolean }) =>
      (await import("./catalog.ts")).catalogCheck(host, directory(options), options),
    );
  command(catalog, "docs", "write the catalog as Markdown")
    .option("--output <file>", "file to write instead of standard output")
    .option("--check", "only say whether the file is fresh", false)
    .action(async (options: Common & { output?: string; check: boolean }) =>
      failUnless(await (await import("./catalog.ts")).catalogDocsCommand(host, directory(options), options)),
    );
  command(catalog, "diff", "say what changed between two catalogs, breaking or not")
    .argument("<before>", "folder of the older catalog")
    .argument("<after>", "folder of the newer catalog")
    .action(async (before: string, after: string) => failUnless(await (await import("./catalog.ts")).catalogDiff(host, before, after)));
}

function formatOf(text: string): ImportFormat {
  const format = IMPORT_FORMATS.find((known) => known === text);
  if (format === undefined) throw new InvalidArgumentError(`Formats: ${IMPORT_FORMATS.join(", ")}.`);
  return format;
}
