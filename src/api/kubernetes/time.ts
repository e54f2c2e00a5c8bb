/** Kubernetes timestamps are RFC 3339 in UTC; ours are milliseconds since the Unix epoch. */

/** RFC 3339 has four digits for a year. */
const FIRST_MS = Date.parse("0000-01-01T00:00:00Z");
const LAST_MS = Date.parse("9999-12-31T23:59:59Z");

/** `metav1.Time`: whole seconds, as the API server writes them. A moment that no timestamp can say is the nearest one that can. */
export function formatTime(epochMs: number): string {
  const shownMs = Math.min(LAST_MS, Math.max(FIRST_MS, epochMs));
  return `${new Date(Math.floor(shownMs / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

/** `metav1.MicroTime`, used by Leases and Events. */
export function formatMicroTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 23)}000Z`;
}

/** @returns NaN when the text is not a timestamp */
export function parseTime(text: string): number {
  return Date.parse(text);
}
