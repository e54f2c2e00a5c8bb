/** Rules of `spec.coupling`: targets that scale as one tuple. */
import { type Bounds, leastState, type Tuple } from "./ratio-feasibility.ts";
import type { ScaleTarget } from "./scale-target.ts";
import type { ScalingPolicySpec } from "./scaling-policy.ts";

type Targets = ReadonlyMap<string, ScaleTarget>;
type Report = (field: string, message: string) => void;

/** @returns the couplings that are sound by themselves */
export function checkCouplings(
  { coupling }: ScalingPolicySpec,
  targets: Targets,
  bounds: ReadonlyMap<string, Bounds>,
  report: Report,
  warnings: string[],
): readonly Tuple[] {
  const sound: Tuple[] = [];
  const coupledBy = new Map<string, string>();
  for (const [index, { name, step }] of coupling.entries()) {
    const path = `spec.coupling[${index}].step`;
    let good = true;
    const fail: Report = (field, message) => {
      good = false;
      report(field, message);
    };
    if (Object.keys(step).length === 0) fail(path, "must name at least one target, such as {prefill: 1, decode: 2}");
    for (const [target, replicas] of Object.entries(step)) {
      checkMember(target, targets, `${path}.${target}`, fail);
      const other = coupledBy.get(target);
      if (other !== undefined) {
        fail(`${path}.${target}`, `is coupled by ${JSON.stringify(other)} already; merge the two couplings into one`);
      }
      coupledBy.set(target, name);
      warnings.push(...tooSlow(targets.get(target), replicas, `${path}.${target}`));
    }
    if (!good) continue;
    const members = new Map([...bounds].filter(([target]) => step[target] !== undefined));
    // Bounds that exclude one another are reported where they stand.
    if ([...members.values()].some(({ min, max }) => min > max)) continue;
    if (leastState(members, [], [step]) === undefined) {
      report(path, `no whole multiple of it is inside the bounds of its targets; ${outOfReach(step, members)}`);
    } else sound.push(step);
  }
  return sound;
}

function checkMember(name: string, targets: Targets, field: string, fail: Report): void {
  const target = targets.get(name);
  if (target === undefined) {
    const known = [...targets.keys()].join(", ");
    fail(field, `${JSON.stringify(name)} is not a scale target of this policy; name one of: ${known}`);
  } else if (target.level === "PodCliqueSet") {
    fail(field, "couplings hold inside one PodCliqueSet replica; name a clique or a scaling group");
  }
}

/** Which multiple the minima ask for, and whose maximum is below it. */
function outOfReach(step: Tuple, members: ReadonlyMap<string, Bounds>): string {
  const multiple = Math.max(...[...members].map(([name, { min }]) => Math.ceil(min / (step[name] ?? 1))));
  const short = [...members].filter(([name, { max }]) => multiple * (step[name] ?? 1) > max);
  const needs = short.map(([name]) => `maxReplicas of ${name} to at least ${multiple * (step[name] ?? 1)}`);
  return `raise ${needs.join(" and ")}, or lower the step or minReplicas`;
}

/** Where no policy of a direction ever lets a whole step through, the coupled targets never move. */
function tooSlow(target: ScaleTarget | undefined, step: number, field: string): string[] {
  if (target === undefined) return [];
  return (["scaleUp", "scaleDown"] as const).flatMap((direction) => {
    const { policies, selectPolicy } = target.behavior[direction];
    const isTooSmall = ({ type, value }: (typeof policies)[number]): boolean => type === "Pods" && value < step;
    const blocks = selectPolicy === "Min" ? policies.some(isTooSmall) : policies.every(isTooSmall);
    return blocks && selectPolicy !== "Disabled"
      ? [
          `${field}: behavior.${direction} of ${target.name} never admits ${step} replicas in one period; raise its policies`,
        ]
      : [];
  });
}
