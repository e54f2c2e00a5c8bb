/** A policy's own PromQL with its placeholders filled in. */

export interface QueryScope {
  readonly namespace: string;
  /** Regular expression, anchored by Prometheus, that matches the names of the target's pods. */
  readonly podRegex: string;
}

/**
 * Replaces `{{namespace}}`, `{{podRegex}}` and `{{selector}}` (both as label matchers: `namespace="…",pod=~"…"`). Values are escaped, so that no
 * name can end a string and smuggle in a matcher.
 * @throws RangeError for a placeholder that does not exist
 */
export function fillQuery(query: string, { namespace, podRegex }: QueryScope): string {
  return query.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name: string) => {
    switch (name) {
      case "namespace":
        return escapeString(namespace);
      case "podRegex":
        return escapeString(podRegex);
      case "selector":
        return `namespace="${escapeString(namespace)}",pod=~"${escapeString(podRegex)}"`;
      default:
        throw new RangeError(`unknown placeholder {{${name}}}: there are {{namespace}}, {{podRegex}} and {{selector}}`);
    }
  });
}

const escapeString = (text: string): string => text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");

/** A literal text as a regular expression. */
export const escapeRegex = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
