/** Undefined for NaN and infinities: for rules that take a bad sample for no sample. */
export const finite = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) ? value : undefined;
