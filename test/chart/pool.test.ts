import { afterEach, expect, test } from "vitest";
import { createRenderer, type Renderer, type RendererOptions } from "../../src/chart/render/pool.ts";
import type { RenderRequest } from "../../src/chart/render/request.ts";
import { AppError } from "../../src/errors.ts";

const WORKER = new URL("workers/endless.ts", import.meta.url);
const request = (title: string): RenderRequest => ({ spec: {}, title, description: "", format: "svg", scale: 1, maxBytes: 1000 });

const made: Renderer[] = [];
function pool(options: RendererOptions = {}): Renderer {
  const renderer = createRenderer({ workerFile: WORKER, maxWorkers: 1, ...options });
  made.push(renderer);
  return renderer;
}
afterEach(async () => {
  await Promise.all(made.splice(0).map((renderer) => renderer.close()));
});

const code = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "ok",
    (error: unknown) => {
      expect(error).toBeInstanceOf(AppError);
      expect(String((error as AppError).message)).not.toMatch(/secret|worker/);
      return (error as AppError).code;
    },
  );

test("a drawing that does not end is ended in time, and the next one is drawn by another thread", async () => {
  const renderer = pool();
  const startMs = performance.now();
  const stuck = code(renderer.render(request("loop"), { timeoutMs: 400 }));
  const behind = code(renderer.render(request("draw")));
  expect(await stuck).toBe("TIMEOUT");
  expect(performance.now() - startMs).toBeLessThan(3000);
  expect(await behind).toBe("ok");
});

test.each([
  ["exit", "UNAVAILABLE"],
  ["throw", "INTERNAL"],
  ["memory", "TOO_LARGE"],
])("a thread that ends by %s ends its call with %s and is replaced, also for who waits behind it", async (way, expected) => {
  const renderer = pool();
  const ended = code(renderer.render(request(way)));
  const behind = code(renderer.render(request("draw")));
  expect(await ended).toBe(expected);
  expect(await behind).toBe("ok");
  expect(await code(renderer.render(request("draw")))).toBe("ok");
});

test("a caller who leaves ends the drawing; one who has left begins none; the line has an end", async () => {
  const renderer = pool({ maxWaiting: 1 });
  const leaving = new AbortController();
  const stuck = code(renderer.render(request("loop"), { signal: leaving.signal }));
  const waiting = code(renderer.render(request("draw")));
  expect(await code(renderer.render(request("draw")))).toBe("BUSY");
  leaving.abort();
  expect(await stuck).toBe("CANCELLED");
  expect(await waiting).toBe("ok");
  expect(await code(renderer.render(request("draw"), { signal: AbortSignal.abort() }))).toBe("CANCELLED");
});

test("one who gives up waiting is not drawn for later", async () => {
  const renderer = pool();
  const first = code(renderer.render(request("loop"), { timeoutMs: 600 }));
  expect(await code(renderer.render(request("draw"), { timeoutMs: 100 }))).toBe("TIMEOUT");
  expect(await first).toBe("TIMEOUT");
});

test("closing ends what runs and what waits, and nothing begins after", async () => {
  const renderer = pool();
  const calls = [code(renderer.render(request("loop"))), code(renderer.render(request("draw")))];
  await renderer.close();
  expect(await Promise.all(calls)).toEqual(["UNAVAILABLE", "UNAVAILABLE"]);
  expect(await code(renderer.render(request("draw")))).toBe("UNAVAILABLE");
});

test("a thread without work ends after a while, and a new one draws", async () => {
  const renderer = pool({ idleMs: 50 });
  expect(await code(renderer.render(request("draw")))).toBe("ok");
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await code(renderer.render(request("draw")))).toBe("ok");
});
