import type { Config } from "./config.ts";
import type { Database } from "./db/database.ts";
import { refusePowerfulLogins } from "./db/login-power.ts";
import { assertSchema } from "./db/migrate.ts";
import { openNative } from "./db/native.ts";
import type { Observe } from "./observe/observation.ts";

/** Runs once on a database that is being opened; its first question waits for it. */
export type Prepare = (opening: Promise<Database>, observe: Observe) => Promise<void>;

/** The database that the settings name. Throws AppError UNAVAILABLE where it cannot be had, and what `prepare` throws. */
export async function openDatabase(config: Config, observe: Observe, prepare?: Prepare): Promise<Database> {
  const opening = openAdapter(config, observe);
  const prepared = prepare?.(opening, observe);
  // Heard below, after the opening.
  prepared?.catch(() => undefined);
  const database = await opening;
  try {
    await prepared;
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function openAdapter(config: Config, observe: Observe): Promise<Database> {
  if (config.databaseUrl === undefined) {
    // Loaded only where used: the embedded engine is 27 MB that a server deployment never touches.
    const { openEmbedded } = await import("./db/embedded/embedded.ts");
    return openEmbedded({ dataDir: config.dataDir, observe });
  }
  const startMs = performance.now();
  const database = openNative({ url: config.databaseUrl, passwords: config.databasePasswords, observe });
  try {
    await assertSchema(database);
    await refusePowerfulLogins(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  observe({ kind: "database_opened", mode: "native", openMs: performance.now() - startMs });
  return database;
}
