/** A render worker that does what its request's title says in place of drawing. */
import { parentPort } from "node:worker_threads";
import type { RenderRequest } from "../../../src/chart/render/request.ts";

parentPort?.on("message", ({ title }: RenderRequest) => {
  if (title === "exit") process.exit(3);
  if (title === "throw") throw new Error("out of /secret/place");
  if (title === "memory")
    for (const hoard: number[][] = []; ;) hoard.push(Array.from({ length: 100_000 }, (_, index) => index + hoard.length));
  for (; title === "loop";);
  if (title === "draw") parentPort?.postMessage({ picture: { format: "svg", svg: "<svg/>", width: 1, height: 1 } });
});
