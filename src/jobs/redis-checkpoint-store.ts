/** CheckpointStore on Redis: each turn is saved, without a write to the API server. While Redis is away it is the policy's status. */
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { keyOf } from "../api/kubernetes/meta.ts";
import type { Memory } from "../decide/memory.ts";
import { type CheckpointStore, parseMemory, serializeMemory, statusCheckpoints } from "./checkpoint-store.ts";
import type { RedisLink } from "./redis-link.ts";

export interface RedisCheckpointsOptions {
  readonly link: RedisLink;
  /** First part of every key. */
  readonly prefix: string;
}

/** Windows and forecasts look back a day at most; after a week nothing of it says anything about now. */
const EXPIRY_SECONDS = 7 * 86_400;

export function redisCheckpoints({ link, prefix }: RedisCheckpointsOptions): CheckpointStore {
  const status = statusCheckpoints();
  // With the uid: a policy that was deleted and made again starts with nothing.
  const redisKey = (policy: ScalingPolicy): string =>
    `{${prefix}}:checkpoint:${keyOf(policy)}:${policy.metadata.uid ?? ""}`;
  return {
    async load(policy) {
      const read = await link.attempt(() => link.client.get(redisKey(policy)));
      return newer(parseMemory(read?.value ?? undefined), await status.load(policy));
    },
    async save(policy, memory) {
      const written = await link.attempt(() =>
        link.client.set(redisKey(policy), serializeMemory(memory), "EX", EXPIRY_SECONDS),
      );
      return written === undefined ? status.save(policy, memory) : undefined;
    },
  };
}

/** Either may be left from before Redis went or came. */
function newer(a: Memory | undefined, b: Memory | undefined): Memory | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.decisions >= b.decisions ? a : b;
}
