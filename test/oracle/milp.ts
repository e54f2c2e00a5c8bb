/** The MILP solver HiGHS as an oracle for the joint solve. Only for tests and benchmarks: 10 ms and more per instance. */
import highsLoader from "highs";

interface HighsResult {
  readonly Status: string;
  readonly ObjectiveValue: number;
  readonly Columns: Readonly<Record<string, { readonly Primal: number }>>;
}
interface Highs {
  solve(problem: string, options: Readonly<Record<string, unknown>>): HighsResult;
}

/**
 * The default gap of 0.01 % would let it stop at a state that is one GPU too dear. The tolerances stay what they are: at 1e-9 it called a served fraction of
 * 0.209 optimal where 0.245 is feasible.
 */
const EXACT = { mip_rel_gap: 0, mip_abs_gap: 0 };

let loaded: Highs | undefined;

export interface MilpSolution {
  readonly objective: number;
  readonly value: (column: string) => number;
}

/** @param problem in CPLEX LP format @returns undefined when infeasible */
export async function solveMilp(problem: string): Promise<MilpSolution | undefined> {
  const highs = loaded ?? (await (highsLoader as unknown as () => Promise<Highs>)());
  // The WASM module keeps state after a problem that is not solved to its optimum: the next one gets a new instance.
  loaded = undefined;
  const result = highs.solve(problem, EXACT);
  if (result.Status === "Infeasible") return undefined;
  if (result.Status !== "Optimal") throw new Error(`HiGHS: ${result.Status}`);
  loaded = highs;
  return { objective: result.ObjectiveValue, value: (column) => result.Columns[column]?.Primal ?? Number.NaN };
}

/** A program in CPLEX LP format, row by row. */
export interface Program {
  readonly sense: "Minimize" | "Maximize";
  readonly objective: string;
  readonly rows: readonly string[];
  readonly bounds: readonly string[];
  readonly integers: readonly string[];
  readonly binaries?: readonly string[];
}

export function lpText({ sense, objective, rows, bounds, integers, binaries = [] }: Program): string {
  const section = (title: string, lines: readonly string[]): string =>
    lines.length === 0 ? "" : `${title}\n ${lines.join("\n ")}\n`;
  const numbered = rows.map((row, at) => `c${at}: ${row}`);
  return `${sense}\n obj: ${objective}\n${section("Subject To", numbered)}${section("Bounds", bounds)}${section("General", integers)}${section("Binary", binaries)}End\n`;
}
