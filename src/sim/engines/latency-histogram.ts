/** A Prometheus histogram of latencies: fixed bounds in seconds, weights in observations. */
export class LatencyHistogram {
  readonly boundsSeconds: readonly number[];
  /** Not cumulative; the last entry is the +Inf bucket. */
  readonly #counts: number[];
  readonly #le: readonly string[];
  #sumSeconds = 0;
  #count = 0;

  constructor(boundsSeconds: readonly number[]) {
    this.boundsSeconds = boundsSeconds;
    this.#counts = [...boundsSeconds, 0].map(() => 0);
    this.#le = [...boundsSeconds.map(String), "+Inf"];
  }

  get count(): number {
    return this.#count;
  }

  observe(seconds: number, observations = 1): void {
    const bounds = this.boundsSeconds;
    let bucket = 0;
    while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + observations;
    this.#count += observations;
    this.#sumSeconds += seconds * observations;
  }

  /** `steps` values that start at `firstSeconds` and grow by `slopeSeconds`, each observed `weight` times. */
  observeRamp(firstSeconds: number, slopeSeconds: number, steps: number, weight: number): void {
    let done = 0;
    for (let bucket = 0; bucket <= this.boundsSeconds.length && done < steps; bucket++) {
      const bound = this.boundsSeconds[bucket] ?? Number.POSITIVE_INFINITY;
      const within =
        slopeSeconds > 0 ? Math.floor((bound - firstSeconds) / slopeSeconds) + 1 : bound >= firstSeconds ? steps : 0;
      const upTo = Math.min(steps, Math.max(done, within));
      this.#counts[bucket] = (this.#counts[bucket] as number) + (upTo - done) * weight;
      done = upTo;
    }
    this.#count += steps * weight;
    this.#sumSeconds += weight * (steps * firstSeconds + (slopeSeconds * steps * (steps - 1)) / 2);
  }

  /** `[le, cumulative count]` for every bucket, `+Inf` last. */
  buckets(): readonly (readonly [string, number])[] {
    let total = 0;
    return this.#counts.map((count, index) => {
      total += count;
      return [this.#le[index] as string, total] as const;
    });
  }

  /** The counts of {@link buckets}. @returns the place after the last */
  cumulativeInto(values: number[], from: number): number {
    const counts = this.#counts;
    let total = 0;
    for (let bucket = 0; bucket < counts.length; bucket++) {
      total += counts[bucket] as number;
      values[from + bucket] = total;
    }
    return from + counts.length;
  }

  get sumSeconds(): number {
    return this.#sumSeconds;
  }
}
