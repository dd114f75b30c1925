import { AppError } from "../errors.ts";

/** Names that may wait to be looked up. */
const MAX_WAITING = 100;

/**
 * Looks up names that nobody here has heard of, one after the other: whoever guesses them keeps one connection busy, and
 * those who are known never wait behind. Throws BUSY where 100 wait already.
 */
export function strangersInTurn<V>(ask: (name: string) => Promise<V>): (name: string) => Promise<V> {
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  return async (name) => {
    if (waiting >= MAX_WAITING)
      throw new AppError("BUSY", "Too many unknown keys are being checked.", { retryAfterSeconds: 1, next: "Try again in a second." });
    waiting += 1;
    const answer = last.then(() => ask(name));
    last = answer.catch(() => undefined);
    try {
      return await answer;
    } finally {
      waiting -= 1;
    }
  };
}
