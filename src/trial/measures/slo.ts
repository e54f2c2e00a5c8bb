/** What a request is owed. */
export interface SloTargets {
  /** For people and for JSON: `500 ms / 50 ms`. */
  readonly name: string;
  /** From the arrival at the gateway to the first token. */
  readonly ttftMs: number;
  /** Mean over the tokens of one request after its first. */
  readonly itlMs: number;
}

/** The first is the default of Dynamo's planner; the second allows for long prompts. */
export const SLO_SETS: readonly SloTargets[] = [
  { name: "500 ms / 50 ms", ttftMs: 500, itlMs: 50 },
  { name: "1500 ms / 50 ms", ttftMs: 1_500, itlMs: 50 },
];
