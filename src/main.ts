#!/usr/bin/env node
/** Entry point: hands the command line to the program and turns failures into one line and an exit code. */
import { runProgram } from "./cli/program.ts";
import { processTerminal } from "./cli/terminal.ts";

await runProgram(process.argv.slice(2), processTerminal());
