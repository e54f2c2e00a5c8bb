/** A ratio to the target so close to 1 that nothing moves; bounds as Kubernetes compares them, so that 1.1 is within 0.1. */
export const isWithinTolerance = (ratio: number, tolerance: number): boolean =>
  1 - tolerance <= ratio && ratio <= 1 + tolerance;
