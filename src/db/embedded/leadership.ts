import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Held by the one process that runs the database of a data directory. */
export interface Leadership {
  readonly resign: () => void;
}

const SQLITE_BUSY = 5;

/**
 * Takes the directory's exclusive lock, or returns undefined where another holder has it. The lock is SQLite's on a
 * file of its own: the operating system gives it back when the process ends in any way, so there is no stale lock to
 * judge and no moment at which two processes believe they lead.
 */
export function tryToLead(directory: string): Leadership | undefined {
  const file = new DatabaseSync(join(directory, "leader.lock"), { timeout: 0 });
  try {
    file.exec("BEGIN EXCLUSIVE");
  } catch (thrown) {
    file.close();
    if ((thrown as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw thrown;
  }
  return { resign: () => file.close() };
}
