/** The commands that talk to a cluster, or about one. */
import type { Command } from "commander";
import { addBudgetCommand } from "./budget/command.ts";
import { addCrdsCommand } from "./crds.ts";
import { addDoctorCommand } from "./doctor/command.ts";
import { addExplainCommand } from "./explain/command.ts";
import { addFreezeCommands } from "./freeze.ts";
import { addGetCommand } from "./get/command.ts";
import { addHistoryCommand } from "./history/command.ts";
import { addLintCommand } from "./lint.ts";
import { addModeCommands } from "./mode.ts";
import { addOverrideCommand } from "./override/command.ts";
import { addPlanCommand } from "./plan/command.ts";
import type { Terminal } from "./terminal.ts";

export function addCommands(program: Command, terminal: Terminal): void {
  addGetCommand(program, terminal);
  addExplainCommand(program, terminal);
  addHistoryCommand(program, terminal);
  addBudgetCommand(program, terminal);
  addPlanCommand(program, terminal);
  addOverrideCommand(program, terminal);
  addModeCommands(program, terminal);
  addFreezeCommands(program, terminal);
  addLintCommand(program, terminal);
  addDoctorCommand(program, terminal);
  addCrdsCommand(program, terminal);
}
