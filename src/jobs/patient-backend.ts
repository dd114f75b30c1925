import { setTimeout as sleep } from "node:timers/promises";
import type { BackendFactory, IQueueBackend } from "bullmq";

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 5_000;
/** A worker that was told nothing looks by itself after so many seconds. */
const LONGEST_WAIT_SECONDS = 10;

export interface Patience {
  /** Told of each failure that is waited out. */
  readonly onError: (error: unknown) => void;
  /** Aborting ends the pauses. */
  readonly closing: AbortSignal;
}

/**
 * BullMQ's worker takes a failure of its backend for final unless the connection was refused, and asks again at once: with
 * its database dropped, or Redis still loading, it spins. Here a failed look for work takes ever longer to be told, up to 5 s.
 */
export function patient<B extends IQueueBackend, C>(make: BackendFactory<B, C>, { onError, closing }: Patience): BackendFactory<B, C> {
  return (...args) => {
    const backend: IQueueBackend = make(...args);
    const moveToActive = backend.moveToActive.bind(backend);
    const waitForJob = backend.waitForJob.bind(backend);
    let failures = 0;
    const pause = async (): Promise<void> => {
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** failures, LAST_PAUSE_MS);
      failures += 1;
      // Closing: nothing is left to be waited for.
      await sleep(pauseMs, undefined, { signal: closing }).catch(() => undefined);
    };
    backend.moveToActive = async (...wanted) => {
      try {
        const found = await moveToActive(...wanted);
        failures = 0;
        return found;
      } catch (error) {
        await pause();
        throw error;
      }
    };
    // Itself it would sleep for up to an hour after a failure, whatever is put in line meanwhile.
    backend.waitForJob = async (seconds) => {
      try {
        return await waitForJob(Math.min(seconds, LONGEST_WAIT_SECONDS));
      } catch (error) {
        onError(error);
        await pause();
        await backend.reconnectBlocking().catch(onError);
        return null;
      }
    };
    return backend as B;
  };
}
