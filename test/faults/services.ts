import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { tell } from "./report.ts";

const run = promisify(execFile);

/** The tool that restarts and kills the services of this run; undefined where there is none, which CI does not accept. */
export function servicesTool(): string | undefined {
  const tool = process.env["TEST_SERVICES"];
  if (tool !== undefined) return tool;
  const why = "TEST_SERVICES must name the services tool: these tests restart PostgreSQL and Redis, and need both for themselves alone";
  if (process.env["CI"] === "true") throw new Error(why);
  tell(`${why}; skipped.`);
  return undefined;
}

/** One command of the tool; rejects with what it said where it fails. */
export async function services(tool: string, command: "restart-pg" | "kill-pg" | "restart-redis" | "up"): Promise<void> {
  await run(tool, [command], { timeout: 120_000 });
}
