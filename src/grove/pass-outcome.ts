/** How one pass over an object went, for its status (grove.md 9.2, 9.4). */

export interface LastError {
  readonly code: string;
  readonly description: string;
  readonly observedAt: string;
}

export interface PassOutcome {
  /** Everything was done and nothing is waited for: `observedGeneration` may move. */
  readonly complete: boolean;
  /** Empty after a pass without errors, so that old errors do not stay. */
  readonly lastErrors: readonly LastError[];
}

/** The same failure keeps its first time, so that a retry that fails again does not write a new status. */
export function lastErrorsOf(
  failures: readonly { readonly code: string; readonly description: string }[],
  before: readonly LastError[] | undefined,
  now: string,
): readonly LastError[] {
  return failures.map(({ code, description }) => {
    const known = before?.find((error) => error.code === code && error.description === description);
    return known ?? { code, description, observedAt: now };
  });
}
