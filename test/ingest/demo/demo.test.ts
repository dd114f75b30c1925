import { expect, test } from "vitest";
import { demoSource } from "../../../src/ingest/demo/demo-source.ts";
import { Random } from "../../../src/ingest/demo/random.ts";
import { ACME_STORY, DEMO_STORY } from "../../../src/ingest/demo/story.ts";
import type { Story } from "../../../src/ingest/demo/story.ts";
import { importInto } from "../../../src/ingest/import.ts";
import { describeOnEachDatabase } from "../../support/databases.ts";
import { readAll } from "../support.ts";
import { rowsOf } from "../warehouse-dump.ts";

const NOW = new Date("2026-11-20T12:00:00.000Z");

test("equal options give equal records, another seed others", async () => {
  const read = async (seed: string) =>
    JSON.stringify((await readAll(demoSource({ story: ACME_STORY, now: NOW, months: 4, seed }))).records);
  expect(await read("a")).toBe(await read("a"));
  expect(await read("a")).not.toBe(await read("b"));
});

test.each([DEMO_STORY, ACME_STORY])("$name: nothing is newer than now, every chain of statuses holds", async (story: Story) => {
  // Weekends, nights and a sprint's last minute are moments at which a demo may be started too.
  for (const now of [NOW, new Date("2026-02-28T23:59:59.000Z"), new Date("2027-01-03T00:00:01.000Z")]) {
    const { of, log } = await readAll(demoSource({ story, now, months: 15 }));
    const events = of("event");
    const instants = [
      ...events.map(({ at }) => at),
      ...of("issue").flatMap(({ createdAt, updatedAt, resolvedAt }) => [createdAt, updatedAt ?? "", resolvedAt ?? ""]),
      ...of("sprint_issue").flatMap(({ addedAt, removedAt }) => [addedAt ?? "", removedAt ?? ""]),
    ];
    expect(instants.filter((at) => at > now.toISOString())).toEqual([]);
    const statusOf = new Map(of("issue").map(({ key }) => [key, "To Do"]));
    for (const event of events) {
      if (event.field !== "status") continue;
      expect([event.issueKey, event.from]).toEqual([event.issueKey, statusOf.get(event.issueKey)]);
      statusOf.set(event.issueKey, event.to ?? "");
    }
    for (const { key, status, createdAt, resolvedAt, updatedAt } of of("issue")) {
      expect([key, status, resolvedAt !== null]).toEqual([key, statusOf.get(key), status === "Done"]);
      expect((resolvedAt ?? createdAt) >= createdAt && (updatedAt ?? "") >= (resolvedAt ?? "")).toBe(true);
    }
    expect(of("sprint").map(({ state }) => state)).toContain("future");
    expect(log.refusedCount).toBe(0);
    expect(of("issue").length).toBeGreaterThan(600);
    expect(of("issue").length).toBeLessThan(1600);
  }
});

test("scale multiplies the teams", async () => {
  const keysOf = async (scale: number) =>
    (await readAll(demoSource({ story: ACME_STORY, now: NOW, months: 3, scale }))).of("project").map(({ key }) => key);
  expect(await keysOf(1)).toEqual(["PLAT", "WEB"]);
  expect(await keysOf(3)).toEqual(["PLAT", "WEB", "PLAT2", "WEB2", "PLAT3", "WEB3"]);
});

test("the generator's numbers are what they say", () => {
  const random = new Random("x");
  const many = Array.from({ length: 5000 }, () => random.skewed(4, 0.5)).toSorted((a, b) => a - b);
  expect(Math.abs((many[2500] ?? 0) - 4)).toBeLessThan(0.3);
  const whole = Array.from({ length: 5000 }, () => random.int(1, 3));
  expect([Math.min(...whole), Math.max(...whole)]).toEqual([1, 3]);
  const mean = Array.from({ length: 5000 }, () => random.around(3)).reduce((sum, one) => sum + one, 0) / 5000;
  expect(Math.abs(mean - 3)).toBeLessThan(0.15);
  expect(() => random.pick([])).toThrow("nothing to pick from");
});

describeOnEachDatabase("the demo tells its story", (get) => {
  test("demo: spillover climbs after the reorganisation, bugs come in a wave and ebb", async () => {
    const report = await importInto(get().database, { id: 1 }, { instanceId: "demo", source: demoSource({ story: DEMO_STORY, now: NOW }) });
    expect(report).toMatchObject({ refusedCount: 0, warnings: [], unmappedStatuses: [] });
    const spillover = async (project: string, from: number, to: number) => {
      const [row] = await rowsOf(
        get(),
        `
        select 1 - count(*) filter (where is_completed)::float8 / count(*) as ratio
        from warehouse.sprint_member m join warehouse.sprint s using (tenant_id, sprint_no) join warehouse.issue i using (tenant_id, issue_no)
        where m.tenant_id = 1 and s.state = 'closed' and is_final and not was_resolved_before and i.project_key = $1
          and s.complete_at between $2::timestamptz - $3 * interval '30 days' and $2::timestamptz - $4 * interval '30 days'`,
        [project, NOW.toISOString(), from, to],
      );
      return Number(row?.["ratio"]);
    };
    const [before, during, after] = [await spillover("PAY", 14, 8.5), await spillover("PAY", 7, 3), await spillover("PAY", 2, 0)];
    expect(before).toBeLessThan(0.35);
    expect(during).toBeGreaterThan(before + 0.2);
    expect(after).toBeLessThan(during - 0.15);
    expect(await spillover("SRCH", 7, 3)).toBeLessThan(0.35);
    const bugs = await rowsOf(
      get(),
      `
      select count(*) filter (where created_at between $1::timestamptz - interval '5 months' and $1::timestamptz - interval '3 months')::int as wave,
        count(*) filter (where created_at between $1::timestamptz - interval '9 months' and $1::timestamptz - interval '7 months')::int as usual,
        count(*) filter (where created_at > $1::timestamptz - interval '2 months')::int as recent
      from warehouse.issue where tenant_id = 1 and project_key = 'MOB' and is_bug`,
      [NOW.toISOString()],
    );
    const [{ wave, usual, recent } = { wave: 0, usual: 0, recent: 0 }] = bugs;
    expect(Number(wave)).toBeGreaterThan(Number(usual) * 2.5);
    expect(Number(recent)).toBeLessThan(Number(wave) / 2);
    expect(await rowsOf(get(), "select count(*) > 5 as held from warehouse.blocked_interval where tenant_id = 1")).toEqual([
      { held: true },
    ]);
  });

  test("acme: the queue in front of the review grows", async () => {
    await importInto(get().database, { id: 2 }, { instanceId: "acme", source: demoSource({ story: ACME_STORY, now: NOW }) });
    const [row] = await rowsOf(
      get(),
      `
      select percentile_cont(0.5) within group (order by ended_at - started_at) filter (where started_at < $1::timestamptz - interval '11 months') as early,
        percentile_cont(0.5) within group (order by ended_at - started_at) filter (where started_at > $1::timestamptz - interval '3 months') * 0.4 as late,
        percentile_cont(0.5) within group (order by ended_at - started_at) filter (where started_at > $1::timestamptz - interval '3 months') * 0.4 >
        percentile_cont(0.5) within group (order by ended_at - started_at) filter (where started_at < $1::timestamptz - interval '11 months') as has_grown
      from warehouse.status_interval where tenant_id = 2 and status = 'In Review'`,
      [NOW.toISOString()],
    );
    expect(row).toMatchObject({ has_grown: true });
  });
});
