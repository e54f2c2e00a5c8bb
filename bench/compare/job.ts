/** One trial of the comparison as data: what a worker is told, and what it answers. */
import { PEERS } from "../../src/peers/all.ts";
import type { Parameters, PeerRole } from "../../src/peers/peer.ts";
import type { Ablation } from "../../src/trial/ablations.ts";
import type { Contestant } from "../../src/trial/contestants.ts";
import type { Fault } from "../../src/trial/scenario.ts";
import type { TrialResult } from "../../src/trial/try-out.ts";

export interface ContestantSpec {
  /** `grove`, the name of a peer, `clairvoyant`, `reactive`, `static` or `static-peak`. */
  readonly name: string;
  readonly parameters: Parameters;
  readonly ablation?: Ablation;
  /** Of `static` and `static-peak`. */
  readonly replicas?: Readonly<Partial<Record<PeerRole, number>>>;
}

export interface Job {
  readonly case: string;
  readonly part: "tuning" | "report";
  readonly seed: number;
  readonly contestant: ContestantSpec;
  /** Name of the fault, for people; absent: nothing goes wrong. */
  readonly fault?: string;
  readonly faults?: readonly Fault[];
}

export interface JobResult extends TrialResult {
  /** Wall time of the trial: not part of any figure. */
  readonly seconds: number;
}

export function contestantOf({ name, parameters, ablation, replicas = {} }: ContestantSpec): Contestant {
  switch (name) {
    case "grove":
      return { kind: "Ours", parameters, ...(ablation === undefined ? {} : { ablation }) };
    case "clairvoyant":
      return { kind: "Clairvoyant", parameters };
    case "reactive":
      return { kind: "Reactive", parameters };
    case "static":
    case "static-peak":
      return { kind: "Static", replicas: new Map(Object.entries(replicas) as [PeerRole, number][]) };
    default: {
      const definition = PEERS.find((one) => one.name === name);
      if (definition === undefined) throw new RangeError(`there is no autoscaler "${name}"`);
      return { kind: "Peer", definition, parameters };
    }
  }
}
