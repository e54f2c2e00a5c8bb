/** Carries out plans: the only place where the operator writes objects. */
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import { ApiError, isAlreadyExists, isConflict, isNotFound } from "../../kube/api-error.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Action, Plan, Stage, Sweep } from "../actions.ts";
import type { Store } from "./store.ts";
import type { Stores } from "./stores.ts";

export interface Failure {
  readonly code: string;
  readonly description: string;
}

export interface ActResult {
  readonly failures: readonly Failure[];
  /** The cache was behind: what was acted on is not what is there. Look again, quietly. */
  readonly stale: boolean;
}

export interface ActContext {
  readonly stores: Stores;
  readonly recorder: EventRecorder;
  /** The reconciled object, to which events are attached. */
  readonly regarding: KubeObject;
}

/** Writes in flight for one object: enough to hide latency, few enough not to fill the client's rate limiter. */
const CONCURRENT_WRITES = 32;

export async function carryOut(plan: Plan, context: ActContext): Promise<ActResult> {
  for (const stage of plan.stages) {
    const result = await runStage(stage, context);
    if (result.failures.length > 0 || result.stale) return result;
  }
  return { failures: [], stale: false };
}

async function runStage({ actions, sweeps = [], slowStart = false }: Stage, context: ActContext): Promise<ActResult> {
  const failures: Failure[] = [];
  const done: Done[] = [];
  let stale = false;
  let batch = slowStart ? 1 : CONCURRENT_WRITES;
  for (let next = 0; next < actions.length && failures.length === 0; ) {
    const outcomes = await Promise.all(actions.slice(next, next + batch).map((action) => run(action, context)));
    for (const outcome of outcomes) {
      if (outcome === "stale") stale = true;
      else if ("code" in outcome) failures.push(outcome);
      else done.push(outcome);
    }
    next += batch;
    batch = Math.min(CONCURRENT_WRITES, batch * 2);
  }
  report(done, context);
  if (failures.length === 0) {
    for (const failure of await Promise.all(sweeps.map((one) => sweep(one, context)))) {
      if (failure !== undefined) failures.push(failure);
    }
  }
  return { failures, stale };
}

/** What is swept goes with its owner in any case: where it is not allowed, the garbage collector takes its time. */
async function sweep({ of, objects, ...selection }: Sweep, { stores }: ActContext): Promise<Failure | undefined> {
  try {
    await (stores[of] as unknown as Store<KubeObject>).deleteAll(objects, selection);
    return undefined;
  } catch (error) {
    if (error instanceof ApiError && (error.code === 403 || error.code === 405)) return undefined;
    const why = error instanceof Error ? error.message : String(error);
    return { code: "ERR_DELETE_MANAGED_OBJECTS", description: `failed to delete ${selection.labelSelector}: ${why}` };
  }
}

interface Done {
  readonly action: Action;
  /** Of the written object. */
  readonly name: string;
}

async function run(action: Action, { stores, recorder, regarding }: ActContext): Promise<Done | "stale" | Failure> {
  const { kind, namespace, name } = described(action);
  try {
    return { action, name: await write(action, stores[action.of] as unknown as Store<KubeObject>) };
  } catch (error) {
    if (isStale(error, action)) return "stale";
    const why = error instanceof Error ? error.message : String(error);
    const description = `failed to ${action.kind} ${kind} ${namespace}/${name}: ${why}`;
    if (action.events?.failure !== undefined) recorder.event(regarding, "Warning", action.events.failure, description);
    return { code: action.errorCode, description };
  }
}

const MAX_NAMES = 10;

/** One event for all that was done of one kind: an event for each of a thousand pods says no more and costs a request each. */
function report(done: readonly Done[], { recorder, regarding }: ActContext): void {
  const groups = Map.groupBy(done, ({ action }) => `${action.events?.success ?? ""} ${action.kind} ${action.of}`);
  for (const group of groups.values()) {
    const [first] = group;
    const reason = first?.action.events?.success;
    if (first === undefined || reason === undefined) continue;
    const verb = { create: "Created", delete: "Deleted", patch: "Updated" }[first.action.kind];
    const { kind, namespace } = described(first.action);
    const names = group.slice(0, MAX_NAMES).map(({ name }) => `${namespace}/${name}`);
    const more = group.length > MAX_NAMES ? ` and ${group.length - MAX_NAMES} more` : "";
    const what = group.length === 1 ? kind : `${group.length} ${kind}s:`;
    recorder.event(regarding, "Normal", reason, `${verb} ${what} ${names.join(", ")}${more}`);
  }
}

/** What is there is not what was looked at. A JSON patch whose `test` fails is refused as invalid. */
const isStale = (error: unknown, action: Action): boolean =>
  isConflict(error) ||
  isAlreadyExists(error) ||
  isNotFound(error) ||
  (error instanceof ApiError && error.code === 422 && action.kind === "patch" && Array.isArray(action.patch));

/** @returns the name of the written object */
async function write(action: Action, store: Store<KubeObject>): Promise<string> {
  switch (action.kind) {
    case "create":
      return (await store.create(action.object)).metadata.name;
    case "delete":
      await store.delete(action.object);
      return action.object.metadata.name;
    case "patch":
      return (await store.patch(action.object, action.patch, action.subresource)).metadata.name;
    default:
      action satisfies never;
      return "";
  }
}

function described({ object }: Action): { readonly kind: string; readonly namespace: string; readonly name: string } {
  const { name, generateName, namespace = "" } = object.metadata;
  return { kind: object.kind, namespace, name: name === "" ? `${generateName}*` : name };
}
