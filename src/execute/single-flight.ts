import { endedError } from "../db/failures.ts";

/** Work in progress that others who want the same can wait for. */
export interface SingleFlight<T> {
  /**
   * Joins the work under `key`, or starts it. Aborting `signal` ends only this caller's wait (CANCELLED); the work's own signal
   * aborts when all its callers have gone.
   */
  join(
    key: string,
    start: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): { readonly done: Promise<T>; readonly isFirst: boolean };
}

interface Flight<T> {
  readonly controller: AbortController;
  readonly done: Promise<T>;
  callers: number;
}

export function singleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Flight<T>>();
  const begin = (key: string, start: (signal: AbortSignal) => Promise<T>): Flight<T> => {
    const controller = new AbortController();
    const flight: Flight<T> = {
      controller,
      callers: 0,
      done: start(controller.signal).finally(() => {
        if (flights.get(key) === flight) flights.delete(key);
      }),
    };
    // Its callers may all have gone before it fails.
    flight.done.catch(() => undefined);
    flights.set(key, flight);
    return flight;
  };
  const leave = (key: string, flight: Flight<T>): void => {
    flight.callers -= 1;
    if (flight.callers > 0) return;
    // Nobody may join work that is being ended.
    if (flights.get(key) === flight) flights.delete(key);
    flight.controller.abort();
  };
  return {
    join: (key, start, signal) => {
      if (signal?.aborted === true) return { done: Promise.reject(endedError("caller")), isFirst: false };
      const running = flights.get(key);
      const flight = running ?? begin(key, start);
      flight.callers += 1;
      return { done: waitFor(flight.done, signal, () => leave(key, flight)), isFirst: running === undefined };
    },
  };
}

async function waitFor<T>(done: Promise<T>, signal: AbortSignal | undefined, onGone: () => void): Promise<T> {
  if (signal === undefined) return done;
  const gone = Promise.withResolvers<never>();
  const onAbort = (): void => {
    onGone();
    gone.reject(endedError("caller"));
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([done, gone.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
