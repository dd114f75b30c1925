const MAX_ENTRIES = 1000;

interface Entry<V> {
  readonly askedAtMs: number;
  readonly answer: Promise<V | undefined>;
}

/**
 * Asks once for what is asked for again within `forMs` of the asking; those who ask at once share one answer. What is
 * not there, and what failed, is asked for anew each time. Holds at most 1000 answers.
 */
export function remembered<V>(
  ask: (name: string) => Promise<V | undefined>,
  forMs: number,
  nowMs: () => number = Date.now,
): (name: string) => Promise<V | undefined> {
  const entries = new Map<string, Entry<V>>();
  return async (name) => {
    const known = entries.get(name);
    const now = nowMs();
    // A clock that was set back makes nothing last longer.
    if (known !== undefined && now >= known.askedAtMs && now - known.askedAtMs < forMs) return known.answer;
    const entry: Entry<V> = { askedAtMs: now, answer: ask(name) };
    keepNewest(entries, name, entry);
    let isThere = false;
    try {
      const answer = await entry.answer;
      isThere = answer !== undefined;
      return answer;
    } finally {
      if (!isThere && entries.get(name) === entry) entries.delete(name);
    }
  };
}

/** Sets an entry of a map that never holds more than 1000: the oldest makes room. */
export function keepNewest<V>(map: Map<string, V>, name: string, value: V): void {
  map.delete(name);
  map.set(name, value);
  const [oldest] = map.keys();
  if (map.size > MAX_ENTRIES && oldest !== undefined) map.delete(oldest);
}
