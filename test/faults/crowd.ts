import { setTimeout as sleep } from "node:timers/promises";
import type { TestClient } from "../support/mcp-clients.ts";
import { foreignMarks, lasting, type MarkedTenant } from "./marked-tenants.ts";
import type { Choices } from "./random.ts";

/** A real MCP client that asks for one tenant. */
export interface Member {
  readonly own: MarkedTenant;
  readonly client: TestClient;
  readonly choose: Choices;
}

/** A call that ended: with data, or with a code. Instants by performance.now(). */
export interface Ended {
  readonly member: Member;
  readonly startMs: number;
  readonly endMs: number;
  /** `ok`, a code, `gone` where the client itself hung up, or what else was thrown. */
  readonly end: string;
}

/** Clients that ask without pause. */
export interface Crowd {
  readonly ended: readonly Ended[];
  /** Answers that were not their tenant's own, to the last digit. */
  readonly wrong: readonly string[];
  /** Every member ends the call it is in and asks no more. */
  stop(): Promise<void>;
}

const CODES =
  /\b(SPEC_INVALID|NOT_FOUND|UNAUTHENTICATED|FORBIDDEN|RATE_LIMITED|BUSY|TOO_LARGE|TIMEOUT|CANCELLED|AUDIT_UNAVAILABLE|UNAVAILABLE|INTERNAL)\b/;
/** After an error a client pauses, as one does that was told to. */
const PAUSE_MS = 25;
const CALL_TIMEOUT_MS = 45_000;

type Answer = Awaited<ReturnType<TestClient["call"]>>;
type Said = Parameters<typeof lasting>[0] & { readonly error?: { readonly code: string } };

/** Asks everything once in a quiet moment; the answers by tenant and question. */
export async function askInPeace(members: readonly Member[], questions: readonly object[]): Promise<ReadonlyMap<string, string>> {
  const answers = new Map<string, string>();
  for (const { own, client } of members) {
    for (const [at, question] of questions.entries()) {
      const name = `${own.tenant.id}/${at}`;
      if (answers.has(name)) continue;
      const answer = await client.call("run_analytics_spec", { ...question });
      if (answer.isError === true) throw new Error(`no peace: ${JSON.stringify(answer.content)}`);
      const foreign = foreignMarks(own, answer);
      if (foreign.length > 0) throw new Error(`tenant ${own.tenant.id} was told of ${foreign.join()}`);
      answers.set(name, lasting(answer.structuredContent as unknown as Said));
    }
  }
  return answers;
}

export interface CrowdOptions {
  readonly questions: readonly object[];
  /** By tenant and question. */
  readonly answers: ReadonlyMap<string, string>;
  /** Some of the calls are mistaken, or hung up on at a random moment. */
  readonly mischief?: boolean;
  /** Calls after which each member stops by itself. */
  readonly calls?: number;
}

/** Begins to ask. */
export function crowd(members: readonly Member[], { questions, answers, mischief = false, calls = Infinity }: CrowdOptions): Crowd {
  const ended: Ended[] = [];
  const wrong: string[] = [];
  let isStopping = false;
  const check = (own: MarkedTenant, question: number, answer: Answer): void => {
    const foreign = foreignMarks(own, answer);
    if (foreign.length > 0) wrong.push(`tenant ${own.tenant.id} was told of ${foreign.join()}`);
    if (answer.isError === true) return;
    const told = lasting(answer.structuredContent as unknown as Said);
    if (told !== answers.get(`${own.tenant.id}/${question}`)) wrong.push(`tenant ${own.tenant.id}, ${question}: ${told.slice(0, 300)}`);
  };
  const one = async ({ own, client, choose }: Member): Promise<string> => {
    const question = choose.below(questions.length);
    const act = mischief ? choose.weighted({ ask: 70, mistake: 10, hangUp: 20 }) : "ask";
    // A limit that is no other call's keeps the answer from coming out of the cache.
    const limit = 500 + choose.below(500);
    const spec = act === "mistake" ? { measures: [{ name: "no_such_metric" }] } : { ...questions[question], limit };
    const signal = act === "hangUp" ? AbortSignal.timeout(choose.below(80)) : undefined;
    try {
      const answer = await client.call("run_analytics_spec", spec, {
        timeout: CALL_TIMEOUT_MS,
        ...(signal === undefined ? {} : { signal }),
      });
      check(own, question, answer);
      return answer.isError === true ? ((answer.structuredContent as unknown as Said).error?.code ?? "an error without a code") : "ok";
    } catch (error) {
      if (signal?.aborted === true) return "gone";
      return CODES.exec(errorText(error))?.[1] ?? errorText(error);
    }
  };
  const asking = members.map(async (member) => {
    for (let made = 0; made < calls && !isStopping; made += 1) {
      const startMs = performance.now();
      const end = await one(member);
      ended.push({ member, startMs, endMs: performance.now(), end });
      if (end !== "ok") await sleep(PAUSE_MS);
    }
  });
  return {
    ended,
    wrong,
    stop: async () => {
      isStopping = calls === Infinity;
      await Promise.all(asking);
    },
  };
}

/** Client libraries keep the answer to a refused request beside their message. */
function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const data = "data" in error ? ` ${JSON.stringify(error.data)}` : "";
  return `${error.name}: ${error.message}${data}${error.cause === undefined ? "" : ` (${errorText(error.cause)})`}`;
}
