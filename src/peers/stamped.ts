/** Numbers with the time at which they were true: recommendations, scale events, observations. */
export interface Stamped {
  readonly atMs: number;
  readonly value: number;
}

/** Those younger than the window. One that is exactly as old as the window is out, as in all autoscalers here. */
export const within = (history: readonly Stamped[], nowMs: number, windowMs: number): readonly Stamped[] =>
  history.filter(({ atMs }) => atMs > nowMs - windowMs);

/** The history with one more, and without what no window of `windowMs` can see again. */
export const remember = (history: readonly Stamped[], entry: Stamped, windowMs: number): readonly Stamped[] => [
  ...within(history, entry.atMs, windowMs),
  entry,
];

/** Undefined when there is nothing to average. */
export function meanOf(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
