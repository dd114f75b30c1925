/** Whether a promise settles within so many milliseconds. What it settles to, and its failure, are its owner's. */
export async function settledWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(late.resolve, timeoutMs, false);
  const settled = (): boolean => true;
  try {
    return await Promise.race([promise.then(settled, settled), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
