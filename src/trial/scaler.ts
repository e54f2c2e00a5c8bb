/** What scales the fleet in a trial. */
export interface Scaler {
  /** How often it decides, milliseconds. */
  readonly tickMs: number;
  /** Families (a histogram is one) that its queries read; absent: any. */
  readonly families?: ReadonlySet<string>;
  /** One decision on what there is now, and its writes. */
  tick(): Promise<void> | void;
  /** It dies and starts anew. */
  restart(): void;
}
