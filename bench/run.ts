/** `npm run bench`: prints the figures with the machine they were taken on. Nothing here is asserted; compare ratios of runs on one machine. */
import { cpus, totalmem } from "node:os";
import type { Row } from "./measure.ts";

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const parts: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  world: async () => (await import("./world.ts")).benchWorld(),
  solver: async () => (await import("./solver.ts")).benchSolver(),
  validate: async () => (await import("./validate.ts")).benchValidate(),
  engine: async () => (await import("./engine.ts")).benchEngine(),
  trial: async () => (await import("./trial.ts")).benchTrial(),
  decide: async () => (await import("./decide.ts")).benchDecide(),
  fleet: async () => (await import("./fleet.ts")).benchFleet(),
  operator: async () => (await import("./operator.ts")).benchOperator(),
  "operator-scale": async () => (await import("./operator-scale.ts")).benchOperatorScale(),
};

const [model] = cpus();
print(
  `machine: ${cpus().length} × ${model?.model.trim() ?? "unknown"}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}`,
);
const wanted = process.argv.slice(2);
for (const [name, part] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const { what, value, aim } of await part())
    print(`${what.padEnd(74)} ${value}${aim === undefined ? "" : `   [aim ${aim}]`}`);
}
process.exit(0);
