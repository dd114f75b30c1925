import { text } from "node:stream/consumers";
import { CommanderError } from "commander";
import { openProduct } from "./product.ts";
import { CatalogInvalid } from "./catalog/problems.ts";
import { type Flags, type Host, UsageError } from "./cli/host.ts";
import { program } from "./cli/program.ts";
import { ConfigInvalid, packageVersion, readConfig } from "./config.ts";
import { type AppError, toAppError } from "./errors.ts";
import { MappingProblem } from "./ingest/mapping.ts";

const configOf = (flags: Flags) => readConfig(process.env, process.cwd(), flags);

/** How long timers and connections that nobody closed may hold a server's process. */
const LEAVE_MS = 500;

const host: Host = {
  write: (line) => void process.stdout.write(line),
  warn: (line) => void process.stderr.write(line),
  readStdin: () => text(process.stdin),
  isInteractive: process.stderr.isTTY,
  catalogDirectory: (flags) => configOf(flags).catalogDir,
  open: (flags, options) => openProduct(configOf(flags), options),
  stopped: () =>
    new Promise((resolve) => {
      let isAsked = false;
      const onSignal = (): void => {
        // Whoever asks again does not want to wait for the calls that still run.
        if (isAsked) process.exit(1);
        isAsked = true;
        resolve();
      };
      process.on("SIGINT", onSignal);
      process.on("SIGTERM", onSignal);
    }),
  leave: () => void setTimeout(() => process.exit(), LEAVE_MS).unref(),
};

/** What a person can mend gets one line; anything else is ours, and says so. */
function explain(error: unknown): { line: string; status: number } {
  if (error instanceof UsageError || error instanceof ConfigInvalid || error instanceof MappingProblem)
    return { line: error.message, status: 2 };
  if (error instanceof CatalogInvalid) return { line: error.message, status: 1 };
  const system = error as NodeJS.ErrnoException;
  if (system.code === "EADDRINUSE")
    return { line: "the address is already in use; is another metricgate running? --http host:port chooses another", status: 1 };
  if (system.code === "ENOENT" || system.code === "EACCES") return { line: system.message, status: 1 };
  return { line: explainAppError(toAppError(error)), status: 1 };
}

function explainAppError({ code, message, details }: AppError): string {
  const problems = (details.problems ?? []).map(({ path, message: what, allowed, suggestion }) => {
    const help = suggestion === undefined ? allowed && ` Allowed: ${allowed.join(", ")}.` : ` Did you mean ${suggestion}?`;
    return `\n  ${path || "spec"}: ${what}.${help ?? ""}`;
  });
  // The command line belongs to the operator, who needs what a client must not see.
  const cause = code === "INTERNAL" && details.cause instanceof Error ? `\n${details.cause.stack ?? details.cause.message}` : "";
  return `${code}: ${message}${problems.join("")}${details.next === undefined ? "" : `\n${details.next}`}${cause}`;
}

try {
  await program(host, packageVersion()).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    const { line, status } = explain(error);
    host.warn(`metricgate: ${line}\n`);
    process.exitCode = status;
  }
}
