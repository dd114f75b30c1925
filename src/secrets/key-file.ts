import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AppError } from "../errors.ts";

const FILE = "secret-keys";

/**
 * The ring kept beside an embedded database, as text: made at the first call, for its owner only, and the same ever
 * after. Throws AppError UNAVAILABLE where it cannot be made or others could read it.
 */
export function keyFile(dataDir: string): string {
  const path = join(dataDir, FILE);
  try {
    if (!existsSync(path)) make(dataDir, path);
    const mode = statSync(path).mode & 0o777;
    if (process.platform !== "win32" && (mode & 0o077) !== 0) throw readableByOthers();
    return readFileSync(path, "utf8").trim();
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    throw new AppError("UNAVAILABLE", "The secret keys in the data directory cannot be used.", {
      cause: thrown,
      next: "Set METRICGATE_DATA_DIR to a directory that this user may write, or set METRICGATE_SECRET_KEYS.",
    });
  }
}

/** Whole or not at all: of two processes that make it at once, the second finds the first one's. */
function make(dataDir: string, path: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  writeFileSync(draft, `k${randomBytes(3).toString("hex")}:${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx" });
  try {
    chmodSync(draft, 0o600);
    linkSync(draft, path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown;
  } finally {
    rmSync(draft, { force: true });
  }
}

function readableByOthers(): AppError {
  return new AppError("UNAVAILABLE", `The file ${FILE} in the data directory can be read by others.`, {
    next: `Run chmod 600 on it; if others may have read it, put a new key first and run \`metricgate secrets rotate\`.`,
  });
}
