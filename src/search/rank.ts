import { must } from "../must.ts";
import { KEY_PROBE, NEAREST_PROBE } from "../plan/search.ts";
import type { Ask } from "./ask.ts";
import { similarity, trigramsOf } from "./trigrams.ts";

/** An issue that some probe found. */
export interface Candidate {
  readonly issueNo: number;
  readonly title: string | null;
  readonly projectKey: string;
  readonly instanceId: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
}

/** What one probe says of one issue. */
export interface Finding<C extends Candidate> {
  readonly probe: number;
  readonly score: number;
  readonly candidate: C;
}

/** The issue that likes are looked for of. */
export type Like = Pick<Candidate, "issueNo" | "projectKey" | "instanceId" | "createdMs">;

/** How an issue's score came about: each part 0 … 1. */
export interface Signals {
  /** Words shared, by their rarity: the share of the best issue's. */
  readonly lexical: number;
  /** Letters that the title shares with the question. */
  readonly title: number;
  /** Nearness of meaning, by the embedding model: the share of the best issue's. */
  readonly vector?: number;
  /** 1 where the question names the issue. */
  readonly key?: 1;
  /** For likes of an issue: 1 in the same project, and how near the two were created. */
  readonly project?: number;
  readonly date?: number;
}

export interface Ranked<C extends Candidate> {
  readonly candidate: C;
  /** 0 … 1. */
  readonly score: number;
  readonly signals: Signals;
}

/**
 * What each signal counts for beside `vector`, for which each model has a weight of its own. Fitted on one half of the duplicates of
 * gitbugs and looked at on the other (docs/search.md); the figures are flat around these.
 */
const SIGNAL_WEIGHTS = { lexical: 1, title: 0.3, project: 0.1, date: 0.25 } as const;
/** Days between two issues after which their nearness in time is down to 1/e. */
const NEAR_DAYS = 90;
const DAY_MS = 86_400_000;

/** What candidates are ranked by. */
export interface Ranking {
  readonly ask: Ask;
  /** Absent: the question is not about an issue. */
  readonly like?: Like;
  /** What nearness counts for, where a model was asked: its findings are those of NEAREST_PROBE with their cosine. */
  readonly vectorWeight?: number;
  readonly limit: number;
}

/** Ranks what the probes found: a weighted sum of signals, each scaled to its best, so that none outweighs the rest by its unit. */
export function rank<C extends Candidate>(findings: readonly Finding<C>[], { ask, like, vectorWeight, limit }: Ranking): Ranked<C>[] {
  const candidates = new Map<number, C>();
  for (const { candidate } of findings) if (candidate.issueNo !== like?.issueNo) candidates.set(candidate.issueNo, candidate);
  const lexical = lexicalShares(findings, ask, like);
  const keys = new Set(findings.filter(({ probe }) => probe === KEY_PROBE).map(({ candidate }) => candidate.issueNo));
  const titles = ask.titles.map(trigramsOf);
  const vectors = new Map(
    findings
      .filter(({ probe, candidate }) => probe === NEAREST_PROBE && candidate.issueNo !== like?.issueNo)
      .map(({ candidate, score }) => [candidate.issueNo, score]),
  );
  const bestVector = Math.max(...vectors.values(), 0);
  const ranked = [...candidates.values()].map((candidate): Ranked<C> => {
    const own = trigramsOf(candidate.title ?? "");
    const near = vectors.get(candidate.issueNo);
    const signals: Signals = {
      lexical: lexical.get(candidate.issueNo) ?? 0,
      title: Math.max(0, ...titles.map((title) => similarity(title, own))),
      ...(vectorWeight === undefined ? {} : { vector: bestVector === 0 ? 0 : Math.max(0, near ?? 0) / bestVector }),
      ...(keys.has(candidate.issueNo) ? { key: 1 as const } : {}),
      ...(like === undefined ? {} : nearness(candidate, like)),
    };
    return { candidate, signals, score: scoreOf(signals, vectorWeight ?? 0) };
  });
  return ranked.toSorted((a, b) => b.score - a.score || a.candidate.issueNo - b.candidate.issueNo).slice(0, limit);
}

/** Each issue's share of the best over the probes, by their weight. */
function lexicalShares<C extends Candidate>(findings: readonly Finding<C>[], { probes }: Ask, like: Like | undefined): Map<number, number> {
  const others = findings.filter(({ probe, candidate }) => probe >= 0 && candidate.issueNo !== like?.issueNo);
  const best = new Map<number, number>();
  for (const { probe, score } of others) best.set(probe, Math.max(score, best.get(probe) ?? 0));
  const shares = new Map<number, number>();
  for (const { probe, score, candidate } of others) {
    const top = best.get(probe) ?? 0;
    const share = top === 0 ? 0 : (score / top) * must(probes[probe], "the probe").weight;
    shares.set(candidate.issueNo, (shares.get(candidate.issueNo) ?? 0) + share);
  }
  const top = Math.max(...shares.values(), 0);
  return new Map([...shares].map(([issueNo, share]) => [issueNo, top === 0 ? 0 : share / top]));
}

function nearness(candidate: Candidate, like: Like): Pick<Signals, "project" | "date"> {
  const isSame = candidate.projectKey === like.projectKey && candidate.instanceId === like.instanceId;
  return { project: isSame ? 1 : 0, date: Math.exp(-Math.abs(candidate.createdMs - like.createdMs) / DAY_MS / NEAR_DAYS) };
}

function scoreOf(signals: Signals, vector: number): number {
  if (signals.key === 1) return 1;
  const weights = { ...SIGNAL_WEIGHTS, vector };
  const parts = (Object.keys(weights) as (keyof typeof weights)[]).filter((name) => signals[name] !== undefined);
  const weight = parts.reduce((sum, name) => sum + weights[name], 0);
  // Below what is named by its key, however well it matches.
  return (0.999 * parts.reduce((sum, name) => sum + weights[name] * (signals[name] ?? 0), 0)) / weight;
}
