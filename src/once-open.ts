interface Closable {
  close(): Promise<void>;
}

/** What is opened at its first use. */
export interface OnceOpen<T> {
  /** The same for all; a failed opening is tried again at the next use. */
  readonly get: () => Promise<T>;
  /** Closes what was opened, if anything was. */
  readonly close: () => Promise<void>;
}

export function onceOpen<T extends Closable>(open: () => Promise<T>): OnceOpen<T> {
  let opening: Promise<T> | undefined;
  return {
    get: () =>
      (opening ??= open().catch((error: unknown) => {
        opening = undefined;
        throw error;
      })),
    close: async () =>
      void (await opening?.then(
        (opened) => opened.close(),
        () => undefined,
      )),
  };
}
