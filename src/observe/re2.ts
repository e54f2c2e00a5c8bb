/**
 * Prometheus matches with RE2; this compiles the same text for JavaScript's engine.
 *
 * The two agree except where RE2 writes named groups and flags differently (translated) and where JavaScript knows
 * more (look-around, back-references: refused, because a real server refuses them).
 */

/** Bound: a query server sees few distinct patterns, and a pattern that comes back must not be compiled again. */
const MAX_CACHED = 1_000;
const cache = new Map<string, RegExp>();

/**
 * The pattern anchored at both ends, as Prometheus anchors it.
 * @throws SyntaxError when RE2 would refuse the pattern
 */
export function compileRe2(pattern: string): RegExp {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  if (/\(\?(?:[=!]|<[=!])/.test(pattern)) throw new SyntaxError(`invalid or unsupported Perl syntax in ${pattern}`);
  if (/(?:^|[^\\])(?:\\\\)*\\[1-9]/.test(pattern)) throw new SyntaxError(`invalid escape sequence in ${pattern}`);
  if (pattern.includes("[[:")) throw new SyntaxError(`character class names are not supported: ${pattern}`);
  let flags = "";
  const body = pattern
    .replace(/^\(\?([ims]+)\)/, (_, found: string) => {
      flags = found;
      return "";
    })
    .replaceAll("(?P<", "(?<");
  const compiled = new RegExp(`^(?:${body})$`, flags);
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(pattern, compiled);
  return compiled;
}
