/** `grove-autoscaler operator`: the Grove operator alone, as one process in the foreground that takes upstream's configuration file. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { setFlagsFromString } from "node:v8";
import type { Command } from "commander";
import packageJson from "../../../package.json" with { type: "json" };
import { wallClock } from "../../clock.ts";
import { systemRandom } from "../../random.ts";
import { ExitError } from "../errors.ts";
import { unreadable } from "../files.ts";
import type { Terminal } from "../terminal.ts";
import { EXIT } from "./exit-codes.ts";

export function addOperatorCommand(program: Command, terminal: Terminal): void {
  program
    .command("operator")
    .description("run the Grove operator alone on a cluster, with an OperatorConfiguration file")
    .requiredOption("--config <file>", "OperatorConfiguration (operator.config.grove.io/v1alpha1)")
    .version(packageJson.version, "--version", "print the version")
    .allowExcessArguments(false)
    .exitOverride(({ exitCode }) => {
      // What there is to say has been printed.
      throw new ExitError(exitCode === 0 ? 0 : EXIT.commandLine, "");
    })
    .action(({ config }: { readonly config: string }) => runOperator(config, terminal));
}

async function runOperator(file: string, terminal: Terminal): Promise<void> {
  // An operator is a small process that lives long: twice the memory for the same speed is no bargain (bench/README.md).
  setFlagsFromString("--optimize-for-size");
  const signal = firstSignal();
  const [{ readOperatorConfiguration, ConfigurationError }, { createLogger }, { startOperatorProcess }] =
    await Promise.all([
      import("../../grove/configuration/read.ts"),
      import("../../server/logger.ts"),
      import("./process.ts"),
    ]);
  let configuration: ReturnType<typeof readOperatorConfiguration>;
  try {
    configuration = readOperatorConfiguration(readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof ConfigurationError) throw new ExitError(EXIT.configuration, `${file}: ${error.message}`);
    throw new ExitError(EXIT.configuration, unreadable("--config", file, error).message);
  }
  const clock = wallClock();
  const random = systemRandom();
  const log = createLogger({ level: configuration.logLevel, format: configuration.logFormat, clock });
  const identity = `${hostname()}_${Math.floor(random.next() * 2 ** 32).toString(16)}`;
  const starting = startOperatorProcess({
    configuration,
    environment: terminal.environment,
    clock,
    random,
    log,
    identity,
    version: packageJson.version,
  });
  const exitWith = (code: number): never => process.exit(code);
  try {
    const started = await Promise.race([starting, signal]);
    // Nothing is held yet, and what has been begun may hang on a server that does not answer.
    if (started === undefined) return exitWith(0);
    try {
      await Promise.race([signal, started.failed]);
    } finally {
      await started.stop();
    }
  } catch (error) {
    if (!(error instanceof ExitError)) throw error;
    log.error({ identity, exitCode: error.exitCode, error: error.message }, "the operator ends");
    terminal.printError(`error: ${error.message}`);
    return exitWith(error.exitCode);
  }
  // A connection that somebody holds open must not keep a stopped operator alive.
  return exitWith(0);
}

/** Resolves at the first SIGTERM or SIGINT. A second one, of either, ends the process at once, as the default does. */
function firstSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    const names = ["SIGTERM", "SIGINT"] as const;
    const onSignal = (): void => {
      for (const name of names) process.off(name, onSignal);
      resolve(undefined);
    };
    for (const name of names) process.on(name, onSignal);
  });
}
