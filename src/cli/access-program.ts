import type { Command } from "commander";
import { SCOPES } from "../tenant.ts";
import { command, type Common, failUnless, flagsOf } from "./command.ts";
import type { Host } from "./host.ts";
import type { NewKeyOptions } from "./key.ts";

/** The commands about who may ask, and about what is kept secret. */
export function addAccess(root: Command, host: Host): void {
  const key = root.command("key").description("make, list and revoke API keys");
  command(key, "create", "make an API key; it is printed once")
    .requiredOption("--tenant <name>", "tenant that it acts for")
    .requiredOption("--name <text>", "your name for it")
    .option("--user <name>", "user that it acts as; by default the key itself")
    .option("--scopes <list>", `some of ${SCOPES.join(",")}; by default all but jobs:operate`)
    .option("--metrics <list>", "the only metrics that it may ask for")
    .option("--projects <list>", "keys of the only projects that it sees")
    .option("--instances <list>", "the only instances that it sees")
    .option("--expires <when>", "a number of days such as 90d, or a date")
    .action(async (options: Common & NewKeyOptions) => (await import("./key.ts")).keyCreate(host, flagsOf(options), options));
  command(key, "list", "list the API keys of all tenants").action(async (options: Common) =>
    (await import("./key.ts")).keyList(host, flagsOf(options)),
  );
  command(key, "revoke", "end an API key")
    .argument("<key id>", "as `key list` shows it")
    .action(async (keyId: string, options: Common) => (await import("./key.ts")).keyRevoke(host, flagsOf(options), keyId));
  addSecrets(root, host);
}

function addSecrets(root: Command, host: Host): void {
  const credential = root
    .command("instance")
    .description("what belongs to a connected tracker")
    .command("credential")
    .description("its credentials, kept sealed");
  const placed = (name: string, description: string): Command =>
    command(credential, name, description).argument("<tenant>").argument("<instance>").argument("<name>", "your name for the credential");
  placed("set", "store a credential, read from standard input")
    .option("--fernet", "it is a Fernet token; METRICGATE_FERNET_KEY opens it", false)
    .action(async (tenant: string, instance: string, name: string, options: Common & { fernet: boolean }) =>
      (await import("./secrets.ts")).credentialSet(host, flagsOf(options), { tenant, instance, name }, options),
    );
  command(credential, "list", "list names and ages")
    .argument("<tenant>")
    .argument("<instance>")
    .action(async (tenant: string, instance: string, options: Common) =>
      (await import("./secrets.ts")).credentialList(host, flagsOf(options), tenant, instance),
    );
  placed("remove", "remove a credential").action(async (tenant: string, instance: string, name: string, options: Common) =>
    (await import("./secrets.ts")).credentialRemove(host, flagsOf(options), { tenant, instance, name }),
  );
  const secrets = root.command("secrets").description("what is kept sealed");
  command(secrets, "rotate", "seal everything anew with the primary key").action(async (options: Common) =>
    failUnless(await (await import("./secrets.ts")).secretsRotate(host, flagsOf(options))),
  );
}
