/**
 * A server of the embeddings protocol in a process of its own: `node test/search/embedding-server.ts`, told what to do over IPC.
 * Its model is a hash of words into a direction, so that texts with words in common are near; a synonym table makes it mean something.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const SYNONYMS: Readonly<Record<string, string>> = {
  crash: "die",
  crashes: "die",
  dies: "die",
  sign: "login",
  signin: "login",
  auth: "login",
};

/** How it behaves: as told last. */
let behaviour: {
  readonly fail?: number;
  readonly hang?: boolean;
  readonly garbage?: boolean;
  /** Texts with this are refused, or fail with 503. */
  readonly refuse?: string;
  readonly failOn?: string;
  readonly delayMs?: number;
} = {};

function embed(text: string, dimension: number): number[] {
  const sum = Array.from({ length: dimension }, () => 0);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ["nothing"]) {
    const digest = createHash("sha256")
      .update(SYNONYMS[word] ?? word)
      .digest();
    for (let at = 0; at < 8; at += 1) {
      const place = digest.readUInt16BE(at * 2) % dimension;
      sum[place] = (sum[place] ?? 0) + ((digest[16 + at] ?? 0) % 2 === 0 ? 1 : -1);
    }
  }
  return sum.every((value) => value === 0) ? sum.map((_, at) => (at === 0 ? 1 : 0)) : sum;
}

const server = createServer((request, response) => {
  let body = "";
  request.on("data", (piece: Buffer) => (body += piece.toString()));
  request.on("end", () => {
    process.send?.({ kind: "asked", path: request.url, authorization: request.headers.authorization, bytes: body.length });
    if (behaviour.hang === true) return;
    if (behaviour.fail !== undefined) return void response.writeHead(behaviour.fail).end("{}");
    if (behaviour.garbage === true) return void response.end('{"data":[{"embedding":["x"]}]}');
    const { input, model } = JSON.parse(body) as { input: string[]; model: string };
    const refused = behaviour.refuse;
    if (refused !== undefined && input.some((text) => text.includes(refused))) return void response.writeHead(400).end("{}");
    const { failOn, delayMs = 0 } = behaviour;
    if (failOn !== undefined && input.some((text) => text.includes(failOn))) return void response.writeHead(503).end("{}");
    const dimension = Number(model.split("-")[1] ?? "64");
    const data = input.map((text, index) => ({ object: "embedding", index, embedding: embed(text, dimension) })).toReversed();
    const answer = JSON.stringify({ object: "list", data, model });
    setTimeout(() => response.setHeader("content-type", "application/json").end(answer), delayMs);
  });
});
process.on("message", (message) => {
  behaviour = message as typeof behaviour;
  process.send?.({ kind: "told" });
});
process.on("disconnect", () => process.exit(0));
server.listen(0, "127.0.0.1", () => process.send?.({ kind: "listening", port: (server.address() as { port: number }).port }));
