/** Kubernetes timestamps are RFC 3339 in UTC; ours are milliseconds since the Unix epoch. */

/** `metav1.Time`: whole seconds, as the API server writes them. */
export function formatTime(epochMs: number): string {
  return `${new Date(Math.floor(epochMs / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

/** `metav1.MicroTime`, used by Leases and Events. */
export function formatMicroTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 23)}000Z`;
}

/** @returns NaN when the text is not a timestamp */
export function parseTime(text: string): number {
  return Date.parse(text);
}
