/** The MILP solver HiGHS as an oracle for the joint solve. Only for tests: 10 ms and more per instance. */
import highsLoader from "highs";

interface HighsResult {
  readonly Status: string;
  readonly ObjectiveValue: number;
  readonly Columns: Readonly<Record<string, { readonly Primal: number }>>;
}
interface Highs {
  solve(problem: string): HighsResult;
}

let loaded: Promise<Highs> | undefined;

/** @param problem in CPLEX LP format @returns undefined when infeasible */
export async function solveMilp(
  problem: string,
): Promise<{ objective: number; value: (column: string) => number } | undefined> {
  // The instance is loaded anew for each problem: the WASM module keeps state after an infeasible one.
  loaded = (highsLoader as unknown as () => Promise<Highs>)();
  const highs = await loaded;
  const result = highs.solve(problem);
  if (result.Status === "Infeasible") return undefined;
  if (result.Status !== "Optimal") throw new Error(`HiGHS: ${result.Status}`);
  return { objective: result.ObjectiveValue, value: (column) => result.Columns[column]?.Primal ?? Number.NaN };
}
