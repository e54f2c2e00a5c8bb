/** The command line of the comparison and of the tuning. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { CASES, type Case, SYNTHETIC_CASES } from "./cases.ts";

export interface Arguments {
  readonly data: string;
  readonly cases: readonly Case[];
  readonly workers: number;
  readonly seeds: number | undefined;
  readonly only: readonly string[] | undefined;
  /** Without faults and ablations. */
  readonly isPlain: boolean;
}

const DEFAULT_DATA = new URL("../../../shared/data", import.meta.url).pathname;

export function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      data: { type: "string", default: DEFAULT_DATA },
      cases: { type: "string" },
      workers: { type: "string" },
      seeds: { type: "string" },
      only: { type: "string" },
      plain: { type: "boolean", default: false },
    },
  });
  const { data, cases, workers, seeds, only, plain } = values;
  if (!existsSync(data)) {
    throw new Error(
      `${data} is not there: the comparison runs on public traces and profiles (bench/README.md says which); put them into a folder with traces/ and profiles/ and give it with --data FOLDER`,
    );
  }
  const all = [...CASES, ...SYNTHETIC_CASES];
  const names = cases?.split(",");
  const unknown = names?.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined)
    throw new Error(`--cases: "${unknown}" is none of ${all.map(({ name }) => name).join(", ")}`);
  return {
    data,
    cases: names === undefined ? all : all.filter(({ name }) => names.includes(name)),
    workers: workers === undefined ? availableParallelism() : Number(workers),
    seeds: seeds === undefined ? undefined : Number(seeds),
    only: only?.split(","),
    isPlain: plain,
  };
}
