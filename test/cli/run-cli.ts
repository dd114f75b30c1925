import { CommanderError } from "commander";
import type { Flags, Host, Product } from "../../src/cli/host.ts";
import { program } from "../../src/cli/program.ts";
import { CATALOG_DIRECTORY } from "../support/answers.ts";

/** What a command printed and how it ended. */
export interface Ran {
  readonly out: string;
  readonly err: string;
  /** As the process would exit; `thrown` holds what was not the command line's own. */
  readonly exitCode: number;
  readonly thrown?: unknown;
}

/** Runs one command in this process, over a product of the test's making. */
export async function runCli(
  args: readonly string[],
  options: Partial<Host> & { readonly product?: Partial<Product> } = {},
): Promise<Ran & { readonly flags: Flags }> {
  const { product, ...rest } = options;
  let [out, err] = ["", ""];
  let flags: Flags = {};
  const host: Host = {
    write: (text) => void (out += text),
    warn: (text) => void (err += text),
    readStdin: () => Promise.resolve(""),
    isInteractive: false,
    catalogDirectory: (given) => given["METRICGATE_CATALOG_DIR"] ?? CATALOG_DIRECTORY,
    open: (given) => {
      flags = given;
      return product === undefined
        ? Promise.reject(new Error("this command opens nothing"))
        : Promise.resolve({ close: () => Promise.resolve(), version: "0.0.0", ...product } as Product);
    },
    stopped: () => Promise.resolve(),
    leave: () => undefined,
    ...rest,
  };
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await program(host, "1.2.3").parseAsync([...args], { from: "user" });
    return { out, err, flags, exitCode: Number(process.exitCode ?? 0) };
  } catch (thrown) {
    return { out, err, flags, exitCode: thrown instanceof CommanderError && thrown.exitCode === 0 ? 0 : 2, thrown };
  } finally {
    process.exitCode = before;
  }
}
