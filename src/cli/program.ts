/** The command line: all commands, and what a failure looks like. */
import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { commandLine } from "./command-line.ts";
import { addCommands } from "./commands.ts";
import { addDemoCommand } from "./demo/command.ts";
import { CommandError, ExitError, UsageError } from "./errors.ts";
import { addOperatorCommand } from "./operator/command.ts";
import { addRunCommand } from "./run/command.ts";
import { addSimulateCommand } from "./simulate/command.ts";
import type { Terminal } from "./terminal.ts";

/** Exit codes: 0 done, 1 it did not work out, 2 the command line or a file is wrong. `operator` has those of upstream. */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<void> {
  const program = new Command("grove-autoscaler")
    .description("Scales disaggregated LLM inference on Kubernetes: cliques, scaling groups and sets together")
    .version(packageJson.version, "-V, --version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.printError(text.trimEnd()),
      // A suggestion comes on a line of its own; failures have one line.
      outputError: (text, write) => write(text.trimEnd().replaceAll("\n", " ")),
    });
  addDemoCommand(program, terminal);
  addSimulateCommand(program, terminal, commandLine(args));
  addRunCommand(program, terminal);
  addOperatorCommand(program, terminal);
  addCommands(program, terminal);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      terminal.exitCode(error.exitCode === 0 ? 0 : 2);
    } else if (error instanceof ExitError) {
      if (error.message !== "") terminal.printError(`error: ${error.message}`);
      terminal.exitCode(error.exitCode);
    } else if (error instanceof UsageError) {
      terminal.printError(`error: ${error.message}`);
      terminal.exitCode(2);
    } else if (error instanceof CommandError) {
      terminal.printError(`error: ${error.message}`);
      terminal.exitCode(1);
    } else {
      throw error;
    }
  }
}
