/** The arguments of the init container that waits for parent cliques: how they are written, read and judged (grove.md 4.2). Pure. */
import { isPodReady, type Pod } from "../kubernetes/core.ts";

export interface StartupParent {
  /** Full name of the PodClique. */
  readonly clique: string;
  /** Pods of it that have to be ready. */
  readonly minAvailable: number;
}

export const INIT_CONTAINER = "grove-initc";
const POD_CLIQUE_LABEL = "grove.io/podclique";

class InvalidParentsError extends Error {
  constructor(message: string) {
    super(`ERR_INVALID_INPUT: ${message}`);
    this.name = "InvalidParentsError";
  }
}

export const parentArguments = (parents: readonly StartupParent[]): readonly string[] =>
  parents.map(({ clique, minAvailable }) => `--podcliques=${clique}:${minAvailable}`);

/**
 * Reads `--podcliques=NAME:COUNT` (also `-p`, with the value in the next argument, and several after commas).
 *
 * @throws InvalidParentsError
 */
export function parseParentArguments(args: readonly string[]): readonly StartupParent[] {
  const parents: StartupParent[] = [];
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    const match = /^(?:--podcliques|-p)(?:=(.*))?$/su.exec(argument);
    if (match === null)
      throw new InvalidParentsError(`unknown argument "${argument}": the only one is --podcliques=NAME:COUNT`);
    const value = match[1] ?? args[++index];
    if (value === undefined) throw new InvalidParentsError(`${argument} needs a value NAME:COUNT`);
    parents.push(...value.split(",").map(parseParent));
  }
  return parents;
}

function parseParent(text: string): StartupParent {
  const colon = text.lastIndexOf(":");
  const clique = text.slice(0, colon).trim();
  const count = text.slice(colon + 1).trim();
  if (colon === -1 || clique === "" || !/^[1-9]\d*$/u.test(count)) {
    throw new InvalidParentsError(`"${text}" is not NAME:COUNT with a COUNT above 0`);
  }
  return { clique, minAvailable: Number(count) };
}

/** By label, never by a prefix of the name: clique `a` must not count the pods of clique `a-b`. */
export function missingParents(parents: readonly StartupParent[], gangPods: readonly Pod[]): readonly string[] {
  return parents.flatMap(({ clique, minAvailable }) => {
    const ready = gangPods.filter(
      (pod) => pod.metadata.labels?.[POD_CLIQUE_LABEL] === clique && isPodReady(pod),
    ).length;
    return ready >= minAvailable ? [] : [`${clique} has ${ready} of ${minAvailable} pods ready`];
  });
}
