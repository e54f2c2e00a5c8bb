/** Names of `--against`: re-implemented autoscalers, oracles, fixed replicas. */
import { PEERS } from "../../peers/all.ts";
import type { PeerRole } from "../../peers/peer.ts";
import type { ReportedAutoscaler } from "../../report/comparison-report.ts";
import type { Contestant } from "../../trial/contestants.ts";
import { UsageError } from "../errors.ts";

export interface Rival extends ReportedAutoscaler {
  readonly contestant: Contestant;
}

export const OURS: Rival = {
  name: "grove",
  title: "grove-autoscaler",
  kind: "ours",
  source: "src/decide",
  contestant: { kind: "Ours", parameters: {} },
};

const ORACLES: readonly Rival[] = [
  {
    name: "clairvoyant",
    title: "Clairvoyant fluid oracle",
    kind: "oracle",
    source: "src/trial/oracles/clairvoyant-plan.ts",
    contestant: { kind: "Clairvoyant", parameters: {} },
  },
  {
    name: "reactive",
    title: "Reactive oracle",
    kind: "oracle",
    source: "src/trial/oracles/reactive-plan.ts",
    contestant: { kind: "Reactive", parameters: {} },
  },
];

const RIVALS: readonly Rival[] = [
  ...PEERS.map(
    (definition): Rival => ({
      name: definition.name,
      title: definition.title,
      kind: "peer",
      source: definition.source,
      contestant: { kind: "Peer", definition, parameters: {} },
    }),
  ),
  ...ORACLES,
];

export const rivalNames = (): readonly string[] => [...RIVALS.map(({ name }) => name), "static:PREFILL,DECODE"];

/** @param text `hpa,keda,static:4,2` or `all`. @throws UsageError naming those that exist */
export function rivalsOf(text: string, roles: readonly PeerRole[]): readonly Rival[] {
  if (text === "all") return RIVALS;
  const names = text.split(",").reduce<string[]>((all, part) => {
    // The numbers of a fixed choice have commas between them too.
    if (/^\d+$/.test(part) && all.at(-1)?.startsWith("static:") === true) all.push(`${all.pop()},${part}`);
    else all.push(part.trim());
    return all;
  }, []);
  return names.map((name) => {
    if (name.startsWith("static:")) return fixed(name, roles);
    const rival = RIVALS.find((one) => one.name === name);
    if (rival === undefined) throw new UsageError(`--against: "${name}" is none of ${rivalNames().join(", ")}, all`);
    return rival;
  });
}

function fixed(name: string, roles: readonly PeerRole[]): Rival {
  const counts = name.slice("static:".length).split(",").map(Number);
  if (counts.length !== roles.length || !counts.every((count) => Number.isInteger(count) && count > 0)) {
    throw new UsageError(
      `--against: "${name}" needs a whole number above 0 for each of ${roles.join(", ")}: static:${roles.map(() => "4").join(",")}`,
    );
  }
  return {
    name,
    title: `Always ${counts.map((count, index) => `${count} ${roles[index]}`).join(" and ")}`,
    kind: "oracle",
    source: "--against",
    contestant: { kind: "Static", replicas: new Map(roles.map((role, index) => [role, counts[index] as number])) },
  };
}
