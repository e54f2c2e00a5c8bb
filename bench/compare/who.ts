/** Who is compared on a case: ours and every peer, by their defaults and as tuned. */
import { existsSync, readFileSync } from "node:fs";
import { PEERS } from "../../src/peers/all.ts";
import type { Parameters } from "../../src/peers/peer.ts";
import type { ParameterSet, ReportedAutoscaler } from "../../src/report/comparison-report.ts";
import type { Case } from "./cases.ts";
import type { ContestantSpec } from "./job.ts";

const TUNED = new URL("tuned.json", import.meta.url);

/** By case, then by autoscaler. */
export type Tuned = ReadonlyMap<string, ReadonlyMap<string, Parameters>>;

export function readTuned(): Tuned {
  if (!existsSync(TUNED)) return new Map();
  const raw = JSON.parse(readFileSync(TUNED, "utf8")) as Record<string, Record<string, { parameters: Parameters }>>;
  return new Map(
    Object.entries(raw).map(([name, ofCase]) => [
      name,
      new Map(Object.entries(ofCase).map(([autoscaler, { parameters }]) => [autoscaler, parameters])),
    ]),
  );
}

export interface Entrant {
  readonly spec: ContestantSpec;
  readonly parameters: ParameterSet;
}

export function contestants(one: Case, tuned: Tuned): readonly Entrant[] {
  return ["grove", ...PEERS.map(({ name }) => name)].flatMap((name): readonly Entrant[] => {
    const best = tuned.get(one.name)?.get(name);
    return [
      { spec: { name, parameters: {} }, parameters: "default" },
      ...(best === undefined ? [] : [{ spec: { name, parameters: best }, parameters: "tuned" as const }]),
    ];
  });
}

export const AUTOSCALERS: readonly ReportedAutoscaler[] = [
  { name: "grove", title: "grove-autoscaler", kind: "ours", source: "src/decide" },
  ...PEERS.map(({ name, title, source }) => ({ name, title, kind: "peer" as const, source })),
  {
    name: "static",
    title: "Best fixed replicas, in hindsight",
    kind: "oracle",
    source: "bench/compare/hindsight.ts",
  },
  {
    name: "static-peak",
    title: "Peak-provisioned fixed replicas, in hindsight",
    kind: "oracle",
    source: "bench/compare/hindsight.ts",
  },
  { name: "reactive", title: "Reactive oracle", kind: "oracle", source: "src/trial/oracles/reactive-plan.ts" },
  {
    name: "clairvoyant",
    title: "Clairvoyant fluid oracle",
    kind: "oracle",
    source: "src/trial/oracles/clairvoyant-plan.ts",
  },
];
