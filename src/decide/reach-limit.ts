/** Longest pause before capacity that could not be had is tried for again. */
export const MAX_BACKOFF_MS = 3_600_000;
