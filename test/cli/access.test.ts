import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openProduct } from "../../src/product.ts";
import type { Product } from "../../src/cli/host.ts";
import { expiryOf } from "../../src/cli/key.ts";
import { readConfig } from "../../src/config.ts";
import { writeFernet } from "../../src/secrets/fernet.ts";
import { AUDIENCE, testIssuer } from "../support/issuer.ts";
import { runCli } from "./run-cli.ts";

/*
 * The commands over a real product on an embedded database, whose key file is its own.
 */
const FERNET_KEY = Buffer.alloc(32, 9).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
const SECRET = "canary-c0ffee";
const dataDir = mkdtempSync(join(tmpdir(), "metricgate-access-"));
let product: Product;
const printed: string[] = [];

const open = (environment: Record<string, string> = {}): Promise<Product> =>
  openProduct(
    readConfig(
      { METRICGATE_LOG_LEVEL: "silent", METRICGATE_DATA_DIR: dataDir, METRICGATE_FERNET_KEY: FERNET_KEY, ...environment },
      tmpdir(),
    ),
    {
      demo: true,
    },
  );

beforeAll(async () => {
  product = await open();
}, 60_000);
afterAll(async () => {
  await product.close();
  rmSync(dataDir, { recursive: true, force: true });
});

async function run(args: readonly string[], input = ""): Promise<Awaited<ReturnType<typeof runCli>>> {
  const ran = await runCli(args, { product: { ...product, close: () => Promise.resolve() }, readStdin: () => Promise.resolve(input) });
  printed.push(ran.out, ran.err, String(ran.thrown));
  return ran;
}

describe("key", () => {
  test("create prints the key alone, once; list shows it without; revoke ends it", async () => {
    expect((await run(["key", "list"])).out).toContain("no API keys yet");
    const who = ["--tenant", "demo", "--name", "CI", "--user", "robot", "--scopes", "drill:read,metrics:read", "--expires", "90d"];
    const limits = ["--metrics", "wip, lead_time", "--projects", "PAY", "--instances", ""];
    const made = await run(["key", "create", ...who, ...limits]);
    const [, keyId = "", secret = ""] = /^mgk_([0-9a-z]{16})_([\w-]{43})\n$/.exec(made.out) ?? [];
    expect(keyId).not.toBe("");
    expect(made.err).toMatch(new RegExp(`^key ${keyId} of tenant demo acts as robot until \\d{4}-.*; it is shown this once\\n$`));
    const listed = await run(["key", "list"]);
    expect(listed.out).toMatch(
      new RegExp(
        `${keyId} {2}demo +CI +robot +active +metrics:read drill:read +metrics: wip lead_time; projects: PAY; instances: none +\\d{4}-`,
      ),
    );
    expect(listed.out).not.toContain(secret);

    const served = await open({ METRICGATE_API_KEY: made.out.trim() });
    try {
      expect(await served.identify()).toMatchObject({
        user: "robot",
        scopes: ["metrics:read", "drill:read"],
        allowed: { metrics: ["wip", "lead_time"], projects: ["PAY"], instances: [] },
      });
    } finally {
      await served.close();
    }
    expect((await run(["key", "revoke", made.out.trim()])).out).toBe(`revoked key ${keyId}; running servers refuse it within 5 seconds\n`);
    expect((await run(["key", "list"])).out).toMatch(/robot +revoked/);
    expect((await run(["key", "revoke", "0123456789abcdef"])).thrown).toMatchObject({ code: "NOT_FOUND" });
  }, 60_000);

  test.each([
    [["--tenant", "nobody", "--name", "x"], "NOT_FOUND"],
    [["--tenant", "demo", "--name", ""], "--name"],
    [["--tenant", "demo", "--name", "two\nlines"], "--name"],
    [["--tenant", "demo", "--name", "x", "--user", "u".repeat(201)], "--user"],
    [["--tenant", "demo", "--name", "x", "--scopes", "admin"], "--scopes takes some of metrics:read,jobs:write"],
    [["--tenant", "demo", "--name", "x", "--scopes", ""], "--scopes"],
    [["--tenant", "demo", "--name", "x", "--metrics", "leadtime"], '--metrics: there is no metric "leadtime"'],
    [["--tenant", "demo", "--name", "x", "--expires", "soon"], "--expires takes"],
    [["--tenant", "demo", "--name", "x", "--expires", "2020-01-01"], "--expires: 2020-01-01 has passed"],
  ])("create %j makes nothing", async (args, message) => {
    const before = (await (await product.access()).listKeys()).length;
    const { thrown, out } = await run(["key", "create", ...args]);
    expect(JSON.stringify([(thrown as Error).message, thrown])).toContain(message.replaceAll('"', '\\"'));
    expect(out).toBe("");
    expect((await (await product.access()).listKeys()).length).toBe(before);
  });

  test("ends a number of days from now, or at the start of a day", () => {
    const now = new Date("2026-11-22T10:00:00Z");
    expect(expiryOf("90d", now).toISOString()).toBe("2027-02-20T10:00:00.000Z");
    expect(expiryOf("2027-01-31", now).toISOString()).toBe("2027-01-31T00:00:00.000Z");
    for (const text of ["0d", "d", "90", "-1d", "1e3d", "2027-13-01", "2027-1-1", "2026-11-22", ""])
      expect(() => expiryOf(text, now)).toThrow("--expires");
  });
});

describe("instance credential", () => {
  const at = (...more: string[]): string[] => ["instance", "credential", ...more];

  test("set reads standard input; list tells names and ages; remove removes; no value is ever printed", async () => {
    expect((await run(at("list", "demo", "inst1"))).out).toBe("no credentials of demo/inst1\n");
    expect((await run(at("set", "demo", "inst1", "token"), `${SECRET}\n`)).out).toBe("stored credential token of demo/inst1\n");
    const token = writeFernet(FERNET_KEY, SECRET);
    expect((await run(at("set", "demo", "inst1", "migrated", "--fernet"), `${token}\n`)).out).toBe(
      "stored credential migrated of demo/inst1\n",
    );
    expect((await run(at("list", "demo", "inst1"))).out).toMatch(
      /^credential +stored +sealed with\n[─ ]+\nmigrated +\d{4}-\d\d-\d\d \d\d:\d\dZ +k[0-9a-f]{6}\ntoken /,
    );
    expect((await run(["secrets", "rotate"])).out).toMatch(
      /^0 credentials sealed anew with key k[0-9a-f]{6}, 2 were already, 0 could not be opened\.\n$/,
    );
    expect((await run(at("remove", "demo", "inst1", "token"))).out).toBe("removed credential token of demo/inst1\n");
    expect((await run(at("remove", "demo", "inst1", "token"))).thrown).toMatchObject({ code: "NOT_FOUND" });
  });

  test.each([
    [at("set", "demo", "inst1", "x"), "\n", "give the credential on standard input"],
    [at("set", "demo", "inst1", "x"), "x".repeat(65_537), "at most 65536 bytes"],
    [at("set", "demo", "absent", "x"), SECRET, 'no instance "absent"'],
    [at("set", "nobody", "inst1", "x"), SECRET, 'no tenant "nobody"'],
    [at("set", "demo", "inst1", "x", "--fernet"), SECRET, "The Fernet token cannot be read"],
    [at("list", "nobody", "inst1"), "", 'no tenant "nobody"'],
  ])("%j is refused", async (args, input, message) => {
    expect(((await run(args, input)).thrown as Error).message).toContain(message);
  });

  test("a rotation that leaves something shut ends with 1 and names it", async () => {
    await run(at("set", "demo", "inst1", "kept"), SECRET);
    const other = await open({ METRICGATE_SECRET_KEYS: `new:${Buffer.alloc(32, 4).toString("base64")}` });
    try {
      const ran = await runCli(["secrets", "rotate"], { product: { ...other, close: () => Promise.resolve() } });
      expect(ran).toMatchObject({
        exitCode: 1,
        out: expect.stringMatching(/^0 credentials sealed anew with key new, 0 were already, \d could not/),
      });
      expect(ran.err).toMatch(/demo\/inst1 kept: A stored secret needs the key k[0-9a-f]{6}, which is not in the key ring\.\n/);
    } finally {
      await other.close();
    }
  }, 60_000);
});

test("doctor finds missing keys and an issuer that is away", async () => {
  await run(["instance", "credential", "set", "demo", "inst1", "checked"], SECRET);
  const found = async (environment: Record<string, string>): Promise<readonly unknown[]> => {
    const opened = await open(environment);
    try {
      return (await opened.check())
        .filter(({ what }) => what === "secret keys" || what === "issuer's keys")
        .map(({ what, ok }) => [what, ok]);
    } finally {
      await opened.close();
    }
  };
  expect(await found({})).toEqual([["secret keys", true]]);
  await using issuer = await testIssuer();
  const oauth = { METRICGATE_OAUTH_ISSUER: issuer.url, METRICGATE_OAUTH_AUDIENCE: AUDIENCE };
  const other = { METRICGATE_SECRET_KEYS: `new:${Buffer.alloc(32, 4).toString("base64")}` };
  expect(await found({ ...oauth, ...other })).toEqual([
    ["secret keys", false],
    ["issuer's keys", true],
  ]);
  issuer.behaviour = "down";
  expect(await found(oauth)).toEqual([
    ["secret keys", true],
    ["issuer's keys", false],
  ]);
}, 60_000);

test("nothing that was printed holds a secret", () => {
  expect(printed.join("\n")).toContain("stored credential");
  expect(printed.join("\n")).not.toContain(SECRET);
});

test("a server's database needs its keys set, and says so; a ring that cannot be read stops the start", async () => {
  const native = await openProduct(
    readConfig({ METRICGATE_DATABASE_URL: "postgres://127.0.0.1:1/none", METRICGATE_LOG_LEVEL: "silent" }, tmpdir()),
  );
  await native.close();
  const { openKeyRing } = await import("../../src/identity.ts");
  const configOf = (environment: Record<string, string>) =>
    readConfig({ METRICGATE_DATABASE_URL: "postgres://127.0.0.1:1/none", ...environment }, tmpdir());
  expect(() => openKeyRing(configOf({}))()).toThrow(
    expect.objectContaining({ code: "UNAVAILABLE", details: { next: expect.stringContaining("METRICGATE_SECRET_KEYS") } }),
  );
  await expect(openProduct(configOf({ METRICGATE_SECRET_KEYS: `k1:${SECRET}` }))).rejects.toMatchObject({
    name: "ConfigInvalid",
    message: expect.stringMatching(/^METRICGATE_SECRET_KEYS: (?!.*canary)/),
  });
});
