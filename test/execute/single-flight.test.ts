import { expect, test } from "vitest";
import { singleFlight } from "../../src/execute/single-flight.ts";

/** Work that ends when the test says so, or when its signal aborts. */
function controlled() {
  const flights = singleFlight<string>();
  const starts: { signal: AbortSignal; resolve: (value: string) => void; reject: (error: Error) => void }[] = [];
  const start = (signal: AbortSignal): Promise<string> => {
    const work = Promise.withResolvers<string>();
    starts.push({ signal, resolve: work.resolve, reject: work.reject });
    signal.addEventListener("abort", () => work.reject(new Error("ended")));
    return work.promise;
  };
  return { starts, join: (key: string, signal?: AbortSignal) => flights.join(key, start, signal) };
}

test("who asks the same at once shares one run; who asks later starts another", async () => {
  const { starts, join } = controlled();
  const [first, second, other] = [join("k"), join("k"), join("else")];
  expect([first.isFirst, second.isFirst, other.isFirst, starts.length]).toEqual([true, false, true, 2]);
  starts[0]?.resolve("one");
  starts[1]?.resolve("two");
  expect(await Promise.all([first.done, second.done, other.done])).toEqual(["one", "one", "two"]);
  const later = join("k");
  expect(later.isFirst).toBe(true);
  starts[2]?.resolve("three");
  expect(await later.done).toBe("three");
});

test("one caller's cancel does not touch the others", async () => {
  const { starts, join } = controlled();
  const leaving = new AbortController();
  const [first, second] = [join("k", leaving.signal), join("k", new AbortController().signal)];
  leaving.abort();
  await expect(first.done).rejects.toMatchObject({ code: "CANCELLED" });
  expect(starts[0]?.signal.aborted).toBe(false);
  starts[0]?.resolve("answer");
  expect(await second.done).toBe("answer");
});

test("when all have gone the run is ended, and who comes then starts anew", async () => {
  const { starts, join } = controlled();
  const [a, b] = [new AbortController(), new AbortController()];
  const gone = [join("k", a.signal).done, join("k", b.signal).done];
  a.abort();
  expect(starts[0]?.signal.aborted).toBe(false);
  b.abort();
  expect(starts[0]?.signal.aborted).toBe(true);
  const next = join("k");
  expect(next.isFirst).toBe(true);
  for (const one of gone) await expect(one).rejects.toMatchObject({ code: "CANCELLED" });
  starts[1]?.resolve("fresh");
  expect(await next.done).toBe("fresh");
});

test("a caller without a signal keeps the run going", async () => {
  const { starts, join } = controlled();
  const a = new AbortController();
  const [leaving, staying] = [join("k", a.signal), join("k")];
  a.abort();
  await expect(leaving.done).rejects.toMatchObject({ code: "CANCELLED" });
  expect(starts[0]?.signal.aborted).toBe(false);
  starts[0]?.resolve("kept");
  expect(await staying.done).toBe("kept");
});

test("a failure is everyone's and is not kept", async () => {
  const { starts, join } = controlled();
  const both = [join("k").done, join("k").done];
  starts[0]?.reject(new Error("no"));
  for (const one of both) await expect(one).rejects.toThrow("no");
  expect(join("k").isFirst).toBe(true);
  await expect(join("k", AbortSignal.abort()).done).rejects.toMatchObject({ code: "CANCELLED" });
});
