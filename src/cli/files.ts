/** Files that a command line names: read with failures in words for people, and found writable before work begins. */
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { UsageError } from "./errors.ts";

/** @param flag that names the file, such as `--policy`. @throws UsageError with the flag, the path and the way out */
export function readTextFile(flag: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw unreadable(flag, file, error);
  }
}

export function unreadable(flag: string, file: string, error: unknown): UsageError {
  return new UsageError(`${flag}: cannot read ${file}: ${inWords(error)}`);
}

/** Without touching it: what took an hour must not be lost for a folder that is not there. @throws UsageError */
export function checkWritable(flag: string, file: string): void {
  const refuse = (why: string): never => {
    throw new UsageError(`${flag}: cannot write ${file}: ${why}`);
  };
  const known = statSync(file, { throwIfNoEntry: false });
  if (known?.isDirectory()) refuse(IN_WORDS["EISDIR"] as string);
  try {
    accessSync(known === undefined ? dirname(file) : file, constants.W_OK);
  } catch (error) {
    refuse(codeOf(error) === "ENOENT" ? "its folder is not there: make it, or name another" : inWords(error));
  }
}

const IN_WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file: check the path",
  EISDIR: "it is a folder: name a file in it",
  ENOTDIR: "a part of the path is a file: check the path",
  EACCES: "this user may not: change its permissions, or name another file",
  Z_DATA_ERROR: "it is no whole gzip file: compress it again, or name plain text .csv",
  Z_BUF_ERROR: "it is no whole gzip file: compress it again, or name plain text .csv",
};

/** @returns its own message where it is none of the system's usual ones */
function inWords(error: unknown): string {
  return IN_WORDS[codeOf(error) ?? ""] ?? (error instanceof Error ? error.message : String(error));
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
