/** The commands that talk to a cluster, or about one. */
import type { Command } from "commander";
import { addExplainCommand } from "./explain/command.ts";
import { addGetCommand } from "./get/command.ts";
import type { Terminal } from "./terminal.ts";

export function addCommands(program: Command, terminal: Terminal): void {
  addGetCommand(program, terminal);
  addExplainCommand(program, terminal);
}
