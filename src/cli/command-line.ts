/** The command line as it was typed, to be pasted into a shell again. Pure. */

const HEADER_FLAG = "--prometheus-header";
const HIDDEN = "HIDDEN";

/**
 * Reports are passed on: values of headers and passwords in URLs are left out.
 *
 * @param args without the program
 */
export function commandLine(args: readonly string[]): string {
  return ["grove-autoscaler", ...args.map((word, at) => quoted(withoutSecret(word, args[at - 1])))].join(" ");
}

function withoutSecret(word: string, before: string | undefined): string {
  if (before === HEADER_FLAG) return withoutHeaderValues(word);
  if (word.startsWith(`${HEADER_FLAG}=`)) {
    return `${HEADER_FLAG}=${withoutHeaderValues(word.slice(HEADER_FLAG.length + 1))}`;
  }
  return word.replace(/(:\/\/)[^/@\s]+@/, `$1${HIDDEN}@`);
}

const withoutHeaderValues = (headers: string): string =>
  headers
    .split(",")
    .map((header) => `${header.split("=", 1)[0]}=${HIDDEN}`)
    .join(",");

/** In single quotes a POSIX shell leaves everything as it is but the single quote itself. */
const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
