/** The pack of each engine that a policy can name. */
import type { ScalingPolicySpec } from "../../api/autoscaling/scaling-policy.ts";
import { DYNAMO } from "./dynamo.ts";
import { SGLANG } from "./sglang.ts";
import type { SignalPack } from "./signal-pack.ts";
import { TRTLLM } from "./trtllm.ts";
import { VLLM } from "./vllm.ts";

export type Engine = ScalingPolicySpec["engine"];

/** `custom` engines bring their own PromQL; one that speaks vLLM's names can use the presets, and the GPU comes from the node. */
export const PACKS: Readonly<Record<Engine, SignalPack>> = {
  vllm: VLLM,
  sglang: SGLANG,
  trtllm: TRTLLM,
  dynamo: DYNAMO,
  custom: VLLM,
};
