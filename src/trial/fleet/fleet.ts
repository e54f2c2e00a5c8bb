/**
 * The replicas of one PodCliqueSet without an API server, operator, scheduler or kubelet: what those make of a set in the end, as plain objects, with the
 * times that starting and stopping take. The same data plane as the whole system's serves in it.
 *
 * Pending (its gang does not fit) → starting → ready → draining (in-flight requests end, at most for the grace period) → gone. A replica that is told to
 * go before it was ready is gone at once.
 */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import type { Pod } from "../../api/kubernetes/core.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import { gpusOfPod, noTemplates } from "../../autoscaler/gpu-cost.ts";
import type { Clock } from "../../clock.ts";
import {
  GROUP_REPLICA_INDEX,
  MANAGED_BY,
  MANAGER,
  PART_OF,
  POD_CLIQUE,
  POD_INDEX,
  SCALING_GROUP,
  SET_REPLICA_INDEX,
} from "../../grove/labels.ts";
import { memberCliqueName, podHostname, scalingGroupName, standaloneCliqueName } from "../../grove/names.ts";
import { inVictimOrder } from "../../grove/pod-clique/victims.ts";
import type { Random } from "../../random.ts";
import type { DataPlane } from "../../sim/engines/data-plane.ts";
import type { CountsSample, Order, ReplicaLife } from "../record.ts";
import { GpuPool, type GpuPoolShape, type Placement } from "./gpu-pool.ts";
import { type StartUpModel, StartUps } from "./start-up.ts";

type CliqueTemplate = PodCliqueSet["spec"]["template"]["cliques"][number];

export interface FleetOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly dataPlane: DataPlane;
  /** With its defaults. */
  readonly set: PodCliqueSet;
  readonly pool: GpuPoolShape;
  /** Of a clique of the template. */
  readonly startUpOf: (clique: string) => StartUpModel;
  /** GiB/s that all loading pods get together. */
  readonly storageGiBPerSecond: number;
  /** Scaled objects that are counted, by the name that the template gives them. */
  readonly targets: readonly string[];
  /** From here on a replica without readiness counts as overdue. */
  readonly pendingTimeoutMs: number;
}

/** One object with a `/scale`. */
export interface FleetObject {
  readonly level: "PodClique" | "PodCliqueScalingGroup";
  readonly name: string;
  /** In the template. */
  readonly ref: string;
  readonly setIndex: number;
  readonly cliques: readonly CliqueTemplate[];
  readonly minAvailable: number;
  replicas: number;
  version: number;
  readonly members: Map<number, Replica>;
}

interface Replica {
  readonly object: FleetObject;
  readonly index: number;
  pods: Pod[];
  readonly gpus: readonly number[];
  placement: Placement | undefined;
  cancelStart: (() => void)[];
  unready: number;
  state: "pending" | "starting" | "ready" | "draining" | "gone";
  isOverdue: boolean;
  busyAtWindowStartMs: number;
  readonly life: { -readonly [K in keyof ReplicaLife]: ReplicaLife[K] };
}

const DRAIN_POLL_MS = 1_000;
const DEFAULT_GRACE_SECONDS = 30;

export class Fleet {
  readonly #options: FleetOptions;
  readonly #pool: GpuPool;
  readonly #startUps: StartUps;
  readonly #sets: FleetObject[][] = [];
  readonly #namespace: string;
  readonly #setName: string;
  /** Waiting for GPUs, oldest first. */
  #queue: Replica[] = [];
  readonly #podsByObject = new Map<string, readonly Pod[]>();
  #allPods: readonly Pod[] | undefined;
  readonly #replicaOfPod = new Map<string, Replica>();
  readonly #live = new Set<Replica>();
  readonly #lives: ReplicaLife[] = [];
  readonly #counts: CountsSample[] = [];
  #podCounter = 0;
  #setVersion = 1;
  #windowStarted = false;
  #isFull = false;
  readonly #orders: Order[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
    const { clock, random, dataPlane, pool, storageGiBPerSecond, set } = options;
    this.#namespace = set.metadata.namespace ?? "default";
    this.#setName = set.metadata.name;
    this.#pool = new GpuPool(pool);
    this.#startUps = new StartUps({ clock, random, storageGiBPerSecond });
    for (const name of this.#pool.nodeNames) dataPlane.setNode(name, pool.gpusPerNode);
    this.scaleSet(set.spec.replicas);
  }

  get setReplicas(): number {
    return this.#sets.length;
  }

  get setVersion(): number {
    return this.#setVersion;
  }

  /** Set replicas in which every object has its minimum ready. */
  get availableSetReplicas(): number {
    return this.#sets.filter((objects) =>
      objects.every((object) => this.#countOf(object, "ready") >= object.minAvailable),
    ).length;
  }

  get counts(): readonly CountsSample[] {
    return this.#counts;
  }

  /** @param ref in the template */
  object(ref: string, setIndex: number): FleetObject | undefined {
    return this.#sets[setIndex]?.find((object) => object.ref === ref);
  }

  objectByName(name: string): FleetObject | undefined {
    for (const objects of this.#sets) for (const object of objects) if (object.name === name) return object;
    return undefined;
  }

  /** Those on their way out included. */
  podsOfObject(name: string): readonly Pod[] {
    let pods = this.#podsByObject.get(name);
    if (pods === undefined) {
      pods = [...this.#live].filter(({ object }) => object.name === name).flatMap((replica) => replica.pods);
      this.#podsByObject.set(name, pods);
    }
    return pods;
  }

  allPods(): readonly Pod[] {
    this.#allPods ??= [...this.#live].flatMap(({ pods }) => pods);
    return this.#allPods;
  }

  replicasOf(ref: string): { readonly ready: readonly string[]; readonly starting: number; readonly pending: number } {
    const ready: string[] = [];
    let [starting, pending] = [0, 0];
    for (const { object, state, life } of this.#live) {
      if (object.ref !== ref) continue;
      if (state === "ready") ready.push(life.name);
      else if (state === "starting") starting++;
      else if (state === "pending") pending++;
    }
    return { ready: ready.toSorted(), starting, pending };
  }

  get orders(): readonly Order[] {
    return this.#orders;
  }

  /** Every pod of one replica together. @param ref in the template */
  gpusPerReplica(ref: string): number {
    const { set } = this.#options;
    return this.cliqueNames(ref).reduce((sum, name) => {
      const clique = set.spec.template.cliques.find((one) => one.name === name) as CliqueTemplate;
      const isGroup = ref !== name;
      const gpus = gpusOfPod(clique.spec.podSpec, this.#namespace, noTemplates) ?? 0;
      return sum + gpus * (isGroup ? clique.spec.replicas : 1);
    }, 0);
  }

  /** @param ref a clique that scales alone, or a group */
  cliqueNames(ref: string): readonly string[] {
    const { cliques, podCliqueScalingGroups = [] } = this.#options.set.spec.template;
    const group = podCliqueScalingGroups.find(({ name }) => name === ref);
    return group?.cliqueNames ?? cliques.filter(({ name }) => name === ref).map(({ name }) => name);
  }

  /** The name of the replica, by one of its pods. */
  replicaOfPod(pod: string): string | undefined {
    return this.#replicaOfPod.get(pod)?.life.name;
  }

  /** `namespace/name` of the first pod of the oldest ready replica. */
  readyPodOf(ref: string): string | undefined {
    const replica = [...this.#live].find(({ object, state }) => object.ref === ref && state === "ready");
    return replica && `${this.#namespace}/${replica.pods[0]?.metadata.name}`;
  }

  /** While true no gang is placed. */
  setFull(isFull: boolean): void {
    this.#isFull = isFull;
    this.#schedule();
    this.#count();
  }

  /** So much of the nodes that hold pods, the fullest first; at least one. */
  busiestNodes(ratio: number): readonly number[] {
    const pods = new Map<number, number>();
    for (const { placement } of this.#live) {
      for (const node of placement?.nodes ?? []) pods.set(node, (pods.get(node) ?? 0) + 1);
    }
    const nodes = [...pods].toSorted(([a, many], [b, more]) => more - many || a - b).map(([node]) => node);
    return nodes.slice(0, Math.max(1, Math.round(ratio * nodes.length)));
  }

  /** What `/scale` of the object does. */
  scale(object: FleetObject, replicas: number): void {
    if (object.replicas === replicas) return;
    const target = this.#options.targets.indexOf(object.ref);
    this.#orders.push({ atMs: this.#options.clock.monotonicMs(), target, from: object.replicas, to: replicas });
    object.replicas = replicas;
    object.version++;
    this.#reconcile(object);
    this.#schedule();
    this.#count();
  }

  /** What `/scale` of the set does. */
  scaleSet(replicas: number): void {
    const { template } = this.#options.set.spec;
    this.#setVersion++;
    while (this.#sets.length > replicas) {
      for (const object of this.#sets.pop() ?? []) {
        object.replicas = 0;
        this.#reconcile(object);
      }
    }
    while (this.#sets.length < replicas) {
      const setIndex = this.#sets.length;
      const groups = template.podCliqueScalingGroups ?? [];
      const grouped = new Set(groups.flatMap(({ cliqueNames }) => cliqueNames));
      const objects = [
        ...groups.map(
          ({ name, cliqueNames, minAvailable, replicas: initial }): FleetObject => ({
            level: "PodCliqueScalingGroup",
            name: scalingGroupName(this.#setName, setIndex, name),
            ref: name,
            setIndex,
            cliques: template.cliques.filter((clique) => cliqueNames.includes(clique.name)),
            minAvailable: minAvailable ?? 1,
            replicas: initial ?? 1,
            version: 1,
            members: new Map(),
          }),
        ),
        ...template.cliques
          .filter(({ name }) => !grouped.has(name))
          .map(
            (clique): FleetObject => ({
              level: "PodClique",
              name: standaloneCliqueName(this.#setName, setIndex, clique.name),
              ref: clique.name,
              setIndex,
              cliques: [clique],
              minAvailable: clique.spec.minAvailable ?? clique.spec.replicas,
              replicas: clique.spec.replicas,
              version: 1,
              members: new Map(),
            }),
          ),
      ];
      this.#sets.push(objects);
      for (const object of objects) this.#reconcile(object);
    }
    this.#schedule();
    this.#count();
  }

  /** From now on busy time counts. */
  startWindow(): void {
    this.#windowStarted = true;
    for (const replica of this.#live) replica.busyAtWindowStartMs = this.#busyMs(replica);
  }

  /** Lives until now, those that go on included. */
  lives(): readonly ReplicaLife[] {
    return [...this.#lives, ...[...this.#live].map((replica) => this.#lifeUntilNow(replica))].toSorted(
      (a, b) => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1),
    );
  }

  /** The nodes' pods are lost with all they hold; the replicas are made anew elsewhere. */
  setNodesDown(nodes: readonly number[], isDown: boolean): void {
    const down = new Set(nodes);
    for (const node of nodes) this.#pool.setDown(node, isDown);
    if (!isDown) {
      this.#schedule();
      this.#count();
      return;
    }
    for (const replica of [...this.#live]) {
      if (replica.placement?.nodes.some((node) => down.has(node)) !== true) continue;
      this.#end(replica);
      this.#reconcile(replica.object);
    }
    this.#schedule();
    this.#count();
  }

  /** The containers of one ready replica die; it starts again in its place. */
  crash(ref: string, nth: number): void {
    const replica = [...this.#live].filter(({ object, state }) => object.ref === ref && state === "ready")[nth];
    if (replica === undefined) return;
    replica.life.lostRequests += this.#inFlight(replica);
    for (const pod of replica.pods) this.#options.dataPlane.setPod(pod, false);
    this.#begin(replica);
    this.#count();
  }

  #reconcile(object: FleetObject): void {
    const { members, replicas } = object;
    const surplus = members.size - replicas;
    if (surplus > 0) for (const replica of this.#victims(object, surplus)) this.#stop(replica);
    for (let index = 0; members.size < replicas; index++) if (!members.has(index)) this.#create(object, index);
  }

  #victims(object: FleetObject, count: number): readonly Replica[] {
    const members = [...object.members.values()];
    if (object.level === "PodCliqueScalingGroup") {
      return members.toSorted((a, b) => b.index - a.index).slice(0, count);
    }
    const pods = members.flatMap((replica) => replica.pods);
    return inVictimOrder(pods, object.name, undefined)
      .slice(0, count)
      .map((pod) => this.#replicaOfPod.get(pod.metadata.name) as Replica);
  }

  #create(object: FleetObject, index: number): void {
    const nowMs = this.#options.clock.monotonicMs();
    const pods = this.#podsOf(object, index);
    const replica: Replica = {
      object,
      index,
      pods,
      gpus: pods.map(gpusOf),
      placement: undefined,
      cancelStart: [],
      unready: pods.length,
      state: "pending",
      isOverdue: false,
      busyAtWindowStartMs: 0,
      life: {
        target: this.#options.targets.indexOf(object.ref),
        name: pods[0]?.metadata.name ?? "",
        setIndex: object.setIndex,
        gpus: pods.reduce((sum, pod) => sum + gpusOf(pod), 0),
        createdMs: nowMs,
        placedMs: Number.NaN,
        readyMs: Number.NaN,
        stoppedMs: Number.NaN,
        goneMs: Number.NaN,
        busyMs: 0,
        servedRequests: 0,
        lostRequests: 0,
      },
    };
    for (const pod of pods) this.#replicaOfPod.set(pod.metadata.name, replica);
    object.members.set(index, replica);
    this.#live.add(replica);
    this.#queue.push(replica);
    this.#changed(object);
    this.#options.clock.setTimer(this.#options.pendingTimeoutMs, () => {
      if (replica.state !== "pending" && replica.state !== "starting") return;
      replica.isOverdue = true;
      this.#count();
    });
  }

  #podsOf(object: FleetObject, index: number): Pod[] {
    const { set, clock } = this.#options;
    const isGroup = object.level === "PodCliqueScalingGroup";
    const templatePods = object.cliques.reduce((sum, { spec }) => sum + spec.replicas, 0);
    return object.cliques.flatMap((clique) => {
      const cliqueName = isGroup ? memberCliqueName(object.name, index, clique.name) : object.name;
      return Array.from({ length: isGroup ? clique.spec.replicas : 1 }, (_, at): Pod => {
        const podIndex = isGroup ? at : index;
        const serial = String(this.#podCounter++).padStart(5, "0");
        const [first, ...rest] = clique.spec.podSpec.containers;
        return {
          apiVersion: "v1",
          kind: "Pod",
          metadata: {
            name: `${cliqueName}-${serial}`,
            namespace: this.#namespace,
            uid: serial,
            resourceVersion: "1",
            creationTimestamp: formatTime(clock.nowMs()),
            labels: {
              [MANAGED_BY]: MANAGER,
              [PART_OF]: set.metadata.name,
              ...clique.labels,
              [POD_CLIQUE]: cliqueName,
              [SET_REPLICA_INDEX]: String(object.setIndex),
              [POD_INDEX]: String(podIndex),
              ...(isGroup ? { [SCALING_GROUP]: object.name, [GROUP_REPLICA_INDEX]: String(index) } : {}),
            },
            ...(clique.annotations === undefined ? {} : { annotations: clique.annotations }),
          },
          spec: {
            ...clique.spec.podSpec,
            containers:
              first === undefined || !isGroup
                ? clique.spec.podSpec.containers
                : [
                    {
                      ...first,
                      env: [
                        ...(first.env ?? []),
                        { name: "GROVE_PCSG_TEMPLATE_NUM_PODS", value: String(templatePods) },
                      ],
                    },
                    ...rest,
                  ],
            hostname: podHostname(cliqueName, podIndex),
          },
          status: { phase: "Pending", conditions: [] },
        };
      });
    });
  }

  /** Places what waits, oldest first; what does not fit does not hold up what does. */
  #schedule(): void {
    const waiting = this.#queue;
    this.#queue = [];
    for (const replica of waiting) {
      if (replica.state !== "pending") continue;
      const placement = this.#isFull ? undefined : this.#pool.place(replica.gpus);
      if (placement === undefined) this.#queue.push(replica);
      else this.#start(replica, placement);
    }
  }

  #start(replica: Replica, placement: Placement): void {
    const { clock } = this.#options;
    replica.placement = placement;
    replica.life.placedMs = clock.monotonicMs();
    replica.pods = replica.pods.map((pod, at) => ({
      ...pod,
      spec: { ...pod.spec, nodeName: this.#pool.nodeName(placement.nodes[at] as number) },
    }));
    this.#begin(replica);
  }

  #begin(replica: Replica): void {
    const { dataPlane, startUpOf, clock } = this.#options;
    replica.state = "starting";
    replica.unready = replica.pods.length;
    const since = formatTime(clock.nowMs());
    replica.cancelStart = replica.pods.map((_, at) => {
      const pod = this.#setStatus(replica, at, {
        phase: "Running",
        conditions: [
          { type: "PodScheduled", status: "True", lastTransitionTime: since },
          { type: "Ready", status: "False", lastTransitionTime: since },
        ],
      });
      dataPlane.setPod(pod, false);
      return this.#startUps.begin(startUpOf(cliqueOf(replica.object, at)), () => this.#podReady(replica, at));
    });
  }

  #podReady(replica: Replica, at: number): void {
    const { clock, dataPlane } = this.#options;
    const since = formatTime(clock.nowMs());
    const pod = this.#setStatus(replica, at, {
      phase: "Running",
      conditions: [
        { type: "PodScheduled", status: "True", lastTransitionTime: since },
        { type: "Ready", status: "True", lastTransitionTime: since },
      ],
    });
    dataPlane.setPod(pod, true);
    replica.unready--;
    if (replica.unready > 0) return;
    replica.state = "ready";
    replica.isOverdue = false;
    if (Number.isNaN(replica.life.readyMs)) replica.life.readyMs = clock.monotonicMs();
    this.#count();
  }

  #setStatus(replica: Replica, at: number, status: NonNullable<Pod["status"]>): Pod {
    const pod = { ...(replica.pods[at] as Pod), status };
    replica.pods = replica.pods.with(at, pod);
    this.#changed(replica.object);
    return pod;
  }

  #stop(replica: Replica): void {
    const { clock, dataPlane } = this.#options;
    replica.object.members.delete(replica.index);
    replica.life.stoppedMs = clock.monotonicMs();
    if (replica.state !== "ready") {
      this.#end(replica);
      return;
    }
    replica.state = "draining";
    const deletionTimestamp = formatTime(clock.nowMs());
    replica.pods = replica.pods.map((pod) => ({ ...pod, metadata: { ...pod.metadata, deletionTimestamp } }));
    this.#changed(replica.object);
    for (const { metadata } of replica.pods) dataPlane.drain(`${this.#namespace}/${metadata.name}`);
    const graceMs =
      1_000 * Math.max(...replica.pods.map(({ spec }) => spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS));
    const untilMs = clock.monotonicMs() + graceMs;
    const poll = (): void => {
      if (replica.state !== "draining") return;
      const isDone = replica.pods.every(({ metadata }) => dataPlane.isDrained(`${this.#namespace}/${metadata.name}`));
      if (isDone || clock.monotonicMs() >= untilMs) {
        this.#end(replica);
        this.#schedule();
        this.#count();
      } else clock.setTimer(Math.min(DRAIN_POLL_MS, untilMs - clock.monotonicMs()), poll);
    };
    clock.setTimer(Math.min(DRAIN_POLL_MS, graceMs), poll);
  }

  /** Its GPUs are free from now on. */
  #end(replica: Replica): void {
    const { clock, dataPlane } = this.#options;
    for (const cancel of replica.cancelStart) cancel();
    const { life } = replica;
    life.lostRequests += this.#inFlight(replica);
    const last = this.#lifeUntilNow(replica);
    if (replica.object.members.get(replica.index) === replica) replica.object.members.delete(replica.index);
    for (const { metadata } of replica.pods) {
      dataPlane.removePod(`${this.#namespace}/${metadata.name}`);
      this.#replicaOfPod.delete(metadata.name);
    }
    if (replica.placement !== undefined) this.#pool.release(replica.placement, replica.gpus);
    replica.state = "gone";
    this.#live.delete(replica);
    this.#lives.push({ ...last, goneMs: clock.monotonicMs() });
    this.#changed(replica.object);
  }

  #engineOf({ pods }: Replica): ReturnType<DataPlane["engineOf"]> {
    return this.#options.dataPlane.engineOf(`${this.#namespace}/${pods[0]?.metadata.name}`);
  }

  #inFlight(replica: Replica): number {
    const engine = this.#engineOf(replica);
    return engine === undefined ? 0 : engine.runningRequests + engine.waitingRequests + engine.heldRequests;
  }

  #busyMs(replica: Replica): number {
    return this.#engineOf(replica)?.busyMs(this.#options.clock.monotonicMs()) ?? 0;
  }

  #lifeUntilNow(replica: Replica): ReplicaLife {
    const engine = this.#engineOf(replica);
    return {
      ...replica.life,
      busyMs: this.#windowStarted ? Math.max(0, this.#busyMs(replica) - replica.busyAtWindowStartMs) : 0,
      servedRequests: engine?.finishedRequests ?? 0,
    };
  }

  #changed({ name }: FleetObject): void {
    this.#podsByObject.delete(name);
    this.#allPods = undefined;
  }

  #countOf(object: FleetObject, state: Replica["state"]): number {
    let count = 0;
    for (const replica of object.members.values()) if (replica.state === state) count++;
    return count;
  }

  #count(): void {
    const targets = this.#options.targets;
    const spec = targets.map(() => 0);
    const ready = targets.map(() => 0);
    const starting = targets.map(() => 0);
    const pending = targets.map(() => 0);
    const overdue = targets.map(() => 0);
    const add = (into: number[], index: number, count: number): void => {
      if (index >= 0) into[index] = (into[index] as number) + count;
    };
    for (const objects of this.#sets) {
      for (const object of objects) {
        const index = targets.indexOf(object.ref);
        add(spec, index, object.replicas);
        for (const replica of object.members.values()) {
          if (replica.state === "ready") add(ready, index, 1);
          else if (replica.state === "starting") add(starting, index, 1);
          else if (replica.state === "pending") add(pending, index, 1);
          if (replica.isOverdue) add(overdue, index, 1);
        }
      }
    }
    const atMs = this.#options.clock.monotonicMs();
    if (this.#counts.at(-1)?.atMs === atMs) this.#counts.pop();
    this.#counts.push({ atMs, spec, ready, starting, pending, overdue });
  }
}

/** The clique of a replica's pod, by the pod's place. */
function cliqueOf({ cliques, level }: FleetObject, at: number): string {
  if (level === "PodClique") return cliques[0]?.name ?? "";
  let first = 0;
  for (const { name, spec } of cliques) {
    if (at < first + spec.replicas) return name;
    first += spec.replicas;
  }
  return "";
}

/** A cost that is unknown takes nothing of the pool. */
const gpusOf = ({ spec, metadata }: Pod): number => gpusOfPod(spec, metadata.namespace ?? "default", noTemplates) ?? 0;
