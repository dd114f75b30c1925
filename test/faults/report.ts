/** Decides every choice of a run; FUZZ_SEED repeats one. */
export const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_122);

/** Says something in the run's output, whatever becomes of the tests. */
export function tell(text: string, tally?: Readonly<Record<string, number>>): void {
  process.stdout.write(`${text}${tally === undefined ? "" : ` ${JSON.stringify(tally)}`}\n`);
}

/** How often each came. */
export function countOf(names: Iterable<string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).toSorted());
}
