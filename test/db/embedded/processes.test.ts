import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openDataDirectory } from "../../../src/db/embedded/data-directory.ts";
import { tryToLead } from "../../../src/db/embedded/leadership.ts";
import { buildSnapshot, readSnapshot } from "../../../src/db/embedded/snapshot.ts";

interface Member {
  readonly child: ChildProcess;
  readonly ask: (command: string) => Promise<unknown>;
  readonly ready: Promise<unknown>;
}

const members: Member[] = [];
let dataDir: string;

function start(): Member {
  const child = spawn(process.execPath, [join(import.meta.dirname, "member.ts"), dataDir], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const { value, done } = (await lines.next()) as { value: string; done?: boolean };
    return done === true ? "ended" : (JSON.parse(value) as unknown);
  };
  const member = {
    child,
    ready: next(),
    ask: (command: string) => {
      child.stdin.write(`${command}\n`);
      return next();
    },
  };
  members.push(member);
  return member;
}

function kill(member: Member): Promise<unknown> {
  const exited = new Promise((resolve) => member.child.once("exit", resolve));
  member.child.kill("SIGKILL");
  return exited;
}

beforeAll(async () => {
  if (readSnapshot() === undefined) await buildSnapshot();
}, 60_000);

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "metricgate-"));
});

afterEach(async () => {
  await Promise.all(
    members
      .splice(0)
      .filter(({ child }) => child.exitCode === null && child.signalCode === null)
      .map(kill),
  );
  rmSync(dataDir, { recursive: true, force: true });
}, 20_000);

test("a second process joins the first one's database and takes over when it closes", async () => {
  const first = start();
  expect(await first.ready).toBe("ready");
  expect(await first.ask("add")).toBe("added");
  const second = start();
  expect(await second.ready).toBe("ready");
  expect([await first.ask("role"), await second.ask("role")]).toEqual(["leader", "follower"]);
  expect(statSync(join(dataDir, "leader.sock")).mode & 0o777).toBe(0o600);
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  expect(await second.ask("add")).toBe("added");
  expect([await first.ask("count"), await second.ask("count")]).toEqual([2, 2]);
  expect(await first.ask("close")).toBe("closed");
  expect(await second.ask("count")).toBe(2);
  expect(await second.ask("role")).toBe("leader");
  expect(await second.ask("close")).toBe("closed");
  expect(existsSync(join(dataDir, "leader.sock"))).toBe(false);
}, 30_000);

test("after kill -9 one of the others leads, and nothing acknowledged is lost", async () => {
  const [first, second, third] = [start(), start(), start()];
  await Promise.all([first.ready, second.ready, third.ready]);
  const roles = await Promise.all([first.ask("role"), second.ask("role"), third.ask("role")]);
  expect(roles.toSorted()).toEqual(["follower", "follower", "leader"]); // three at once on a fresh directory: one leads
  let rows = 0;
  const alive = [first, second, third];
  for (const member of alive) if ((await member.ask("add")) === "added") rows += 1;
  expect(rows).toBe(3);
  while (alive.length > 1) {
    const leads = await Promise.all(alive.map((member) => member.ask("role")));
    const [leader] = alive.splice(leads.indexOf("leader"), 1);
    if (leader !== undefined) await kill(leader);
    expect(await Promise.all(alive.map((member) => member.ask("count")))).toEqual(alive.map(() => rows));
    const now = await Promise.all(alive.map((member) => member.ask("role")));
    expect(now.filter((role) => role === "leader")).toHaveLength(1);
    for (const member of alive) if ((await member.ask("add")) === "added") rows += 1;
    expect(await alive[0]?.ask("count")).toBe(rows);
  }
}, 60_000);

test("a first start that was killed leaves nothing that a second one trips over", async () => {
  const first = start();
  await new Promise((resolve) => setTimeout(resolve, 250)); // amid unpacking or opening
  await kill(first);
  const second = start();
  expect(await second.ready).toBe("ready");
  expect(await second.ask("add")).toBe("added");
}, 30_000);

test("the lock is exclusive, also within one process, and comes back", () => {
  const { root } = openDataDirectory(dataDir);
  const leadership = tryToLead(root);
  expect(leadership).toBeDefined();
  expect(tryToLead(root)).toBeUndefined();
  leadership?.resign();
  const again = tryToLead(root);
  expect(again).toBeDefined();
  again?.resign();
});

test("a directory that cannot be used says so", () => {
  expect(() => openDataDirectory(join(dataDir, "x".repeat(100)))).toThrow(/too long/);
  writeFileSync(join(dataDir, "file"), "");
  expect(() => openDataDirectory(join(dataDir, "file", "below"))).toThrow(/cannot be used/);
});
