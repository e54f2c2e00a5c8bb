/**
 * The cheapest whole numbers of replicas over time for somebody who knows all arrivals: dynamic programming on the fluid needs. Pure.
 *
 * cost = GPU seconds held (ready, and starting for `startMs` before each ready replica, and draining for `drainMs` after it)
 *      + penalty × requests that find no capacity: those of an interval times 1 − min over the roles of replicas / need.
 *
 * Start and drain cost the same for every replica that comes or goes, so the best predecessor of every state is found by one sweep up and one sweep down
 * along each role instead of over all pairs of states (the distance transform of Felzenszwalb and Huttenlocher, 2012, for linear costs).
 *
 * It is no optimum of the real system, whose requests are whole and wait: its number is what comes of replaying the plan in the simulator.
 */
import type { Needs } from "./needs.ts";

export interface PlannedRole {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly gpusPerReplica: number;
  readonly startMs: number;
}

export interface PlanBounds {
  readonly roles: readonly Omit<PlannedRole, "startMs">[];
  readonly gpuBudget?: number;
  /** `min ≤ first / second ≤ max`, for two roles. */
  readonly band?: { readonly min: number; readonly max: number };
}

export interface PlanProblem extends PlanBounds {
  readonly needs: Needs;
  /** In the order of the needs. */
  readonly roles: readonly PlannedRole[];
  /** GPU seconds that one lost request is worth. */
  readonly penaltyGpuSeconds: number;
  readonly drainMs: number;
}

/** As many as an index of 16 bits holds. */
const MAX_STATES = 2 ** 16;

/**
 * @returns ready replicas by interval, then by role
 * @throws RangeError where there is a {@link planningProblem}
 */
export function clairvoyantPlan(problem: PlanProblem): readonly (readonly number[])[] {
  const { needs, roles } = problem;
  const states = statesOf(problem);
  const strides = roles.map((_, role) =>
    roles
      .slice(role + 1)
      .reduce((product, { minReplicas, maxReplicas }) => product * (maxReplicas - minReplicas + 1), 1),
  );
  const intervals = needs.requests.length;
  const seconds = needs.intervalMs / 1000;
  const gpusOf = states.map(({ replicas }) =>
    sumOf(roles, (role, at) => role.gpusPerReplica * (replicas[at] as number)),
  );
  let best: Float64Array = Float64Array.from(states, ({ isAllowed }) => (isAllowed ? 0 : Infinity));
  const cameFrom: Uint16Array[] = [];
  for (let interval = 0; interval < intervals; interval++) {
    const { cost, from } = interval === 0 ? identity(best) : reach(best, problem, strides, states);
    const requests = needs.requests[interval] as number;
    for (const [state, { replicas, isAllowed }] of states.entries()) {
      if (!isAllowed) {
        cost[state] = Infinity;
        continue;
      }
      let served = 1;
      for (const [role, count] of replicas.entries()) {
        const need = needs.replicas[role]?.[interval] as number;
        if (need > 0) served = Math.min(served, count / need);
      }
      cost[state] =
        (cost[state] as number) +
        (gpusOf[state] as number) * seconds +
        problem.penaltyGpuSeconds * requests * Math.max(0, 1 - served);
    }
    best = cost;
    cameFrom.push(from);
  }
  let state = best.indexOf(Math.min(...best));
  const plan: (readonly number[])[] = [];
  for (let interval = intervals - 1; interval >= 0; interval--) {
    plan.push((states[state] as State).replicas);
    state = (cameFrom[interval] as Uint16Array)[state] as number;
  }
  return plan.reverse();
}

interface State {
  readonly replicas: readonly number[];
  readonly isAllowed: boolean;
}

/** Every combination, the last role fastest. */
function statesOf(bounds: PlanBounds): readonly State[] {
  const problem = planningProblem(bounds);
  if (problem !== undefined) throw new RangeError(problem);
  return combinationsOf(bounds).map((replicas) => ({ replicas, isAllowed: isAllowed(replicas, bounds) }));
}

/** What keeps anybody from planning within these bounds, with the fields that say so; undefined: nothing. */
export function planningProblem(bounds: PlanBounds): string | undefined {
  const { roles, gpuBudget } = bounds;
  const states = roles.reduce((product, { minReplicas, maxReplicas }) => product * (maxReplicas - minReplicas + 1), 1);
  if (states > MAX_STATES) {
    return `spec.scaleTargets[*].maxReplicas allow ${states.toLocaleString("en")} combinations of replicas, and at most ${MAX_STATES.toLocaleString("en")} are planned: lower them`;
  }
  if (combinationsOf(bounds).some((replicas) => isAllowed(replicas, bounds))) return undefined;
  const budget = gpuBudget === undefined ? "" : `spec.gpuBudget.max (${gpuBudget}) and `;
  return `no replicas between minReplicas and maxReplicas fit ${budget}spec.ratios: widen one of them`;
}

function combinationsOf({ roles }: PlanBounds): readonly (readonly number[])[] {
  return roles.reduce<readonly (readonly number[])[]>(
    (combinations, { minReplicas, maxReplicas }) => {
      const counts = Array.from({ length: maxReplicas - minReplicas + 1 }, (_, index) => minReplicas + index);
      return combinations.flatMap((one) => counts.map((count) => [...one, count]));
    },
    [[]],
  );
}

function isAllowed(replicas: readonly number[], { roles, gpuBudget = Infinity, band }: PlanBounds): boolean {
  const gpus = sumOf(roles, (role, at) => role.gpusPerReplica * (replicas[at] as number));
  const [first, second] = replicas;
  const ratio = first === undefined || second === undefined ? 1 : first / second;
  return gpus <= gpuBudget && (band === undefined || (ratio >= band.min && ratio <= band.max));
}

function identity(best: Float64Array): Reached {
  return { cost: best.slice(), from: Uint16Array.from(best, (_, state) => state) };
}

interface Reached {
  readonly cost: Float64Array;
  readonly from: Uint16Array;
}

/** The cheapest way into every state, and where it comes from. */
function reach(
  best: Float64Array,
  { roles, drainMs }: PlanProblem,
  strides: readonly number[],
  states: readonly State[],
): Reached {
  const cost = best.slice();
  const from = Uint16Array.from(best, (_, state) => state);
  const improve = (state: number, neighbour: number, extra: number): void => {
    const through = (cost[neighbour] as number) + extra;
    if (through >= (cost[state] as number)) return;
    cost[state] = through;
    from[state] = from[neighbour] as number;
  };
  for (const [role, { gpusPerReplica, startMs, minReplicas, maxReplicas }] of roles.entries()) {
    const stride = strides[role] as number;
    const start = (gpusPerReplica * startMs) / 1000;
    const drain = (gpusPerReplica * drainMs) / 1000;
    for (let state = 0; state < states.length; state++) {
      if (((states[state] as State).replicas[role] as number) > minReplicas) improve(state, state - stride, start);
    }
    for (let state = states.length - 1; state >= 0; state--) {
      if (((states[state] as State).replicas[role] as number) < maxReplicas) improve(state, state + stride, drain);
    }
  }
  return { cost, from };
}

function sumOf<T>(list: readonly T[], of: (one: T, index: number) => number): number {
  return list.reduce((sum, one, index) => sum + of(one, index), 0);
}
