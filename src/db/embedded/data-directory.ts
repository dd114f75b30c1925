import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { AppError } from "../../errors.ts";

/** Where things are in METRICGATE_DATA_DIR. */
export interface DataDirectory {
  readonly root: string;
  /** The database's own files. */
  readonly postgres: string;
  /** The socket on which the leader serves other processes of the same user. */
  readonly socket: string;
  /** Names the schema that the files were last brought to; absent while a first start is under way. */
  readonly schema: string;
}

/** sun_path, less its end. */
const MAX_SOCKET_PATH_BYTES = 103;

/** Makes the directory, for its owner only. Throws AppError UNAVAILABLE where it cannot be used. */
export function openDataDirectory(path: string): DataDirectory {
  const root = resolve(path);
  const socket =
    process.platform === "win32"
      ? `\\\\.\\pipe\\metricgate-${createHash("sha256").update(root).digest("hex").slice(0, 32)}`
      : join(root, "leader.sock");
  if (process.platform !== "win32" && Buffer.byteLength(socket) > MAX_SOCKET_PATH_BYTES) {
    throw new AppError("UNAVAILABLE", "The data directory's path is too long for a socket in it.", {
      next: "Set METRICGATE_DATA_DIR to a path of at most 90 bytes.",
    });
  }
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    chmodSync(root, 0o700);
  } catch (thrown) {
    throw new AppError("UNAVAILABLE", "The data directory cannot be used.", {
      cause: thrown,
      next: "Set METRICGATE_DATA_DIR to a directory that this user may write.",
    });
  }
  return { root, postgres: join(root, "postgres"), socket, schema: join(root, "schema") };
}

/** The schema's fingerprint that the files were last brought to; undefined for none. */
export function schemaOf(directory: DataDirectory): string | undefined {
  return existsSync(directory.schema) ? readFileSync(directory.schema, "utf8").trim() : undefined;
}

export function recordSchema(directory: DataDirectory, fingerprint: string): void {
  writeFileSync(directory.schema, `${fingerprint}\n`, { mode: 0o600 });
}

/** Removes what a first start left that did not come to its end. Only for the leader. */
export function clearUnfinished(directory: DataDirectory): void {
  rmSync(directory.postgres, { recursive: true, force: true });
}
