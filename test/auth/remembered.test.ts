import { expect, test } from "vitest";
import { keepNewest, remembered } from "../../src/auth/remembered.ts";

test("what is there is asked for once within its time, by all who ask at once; what is not, and failures, each time", async () => {
  const asked: string[] = [];
  const clock = { ms: 0 };
  const ask = async (name: string): Promise<string | undefined> => {
    asked.push(name);
    if (name === "fails") throw new Error("no");
    return name === "absent" ? undefined : `${name} at ${clock.ms}`;
  };
  const find = remembered(ask, 1000, () => clock.ms);
  expect(await Promise.all([find("a"), find("a"), find("b")])).toEqual(["a at 0", "a at 0", "b at 0"]);
  clock.ms = 999;
  expect(await find("a")).toBe("a at 0");
  clock.ms = 1000;
  expect(await find("a")).toBe("a at 1000");
  clock.ms = 500;
  expect(await find("a")).toBe("a at 500");
  expect(asked.splice(3)).toEqual(["a"]);
  expect(asked).toEqual(["a", "b", "a"]);
  for (let time = 0; time < 2; time += 1) {
    expect(await find("absent")).toBeUndefined();
    await expect(find("fails")).rejects.toThrow("no");
  }
  expect(asked.slice(3)).toEqual(["absent", "fails", "absent", "fails"]);
});

test("no more than a thousand are kept, the newest", () => {
  const map = new Map<string, number>();
  for (let index = 0; index < 1500; index += 1) keepNewest(map, String(index), index);
  keepNewest(map, "600", 600);
  keepNewest(map, "new", 0);
  expect([map.size, map.has("500"), map.has("600"), map.has("1499")]).toEqual([1000, false, true, true]);
});
