/**
 * Hashes that tell whether pods are made from the current template (grove.md 5.1).
 *
 * The input is a canonical JSON text of our own, so the hash changes neither with the order of keys, nor with defaults
 * that a server fills in, nor with versions of this operator: that would roll every workload on an upgrade.
 */
import type { PodCliqueSetTemplate, PodCliqueTemplate } from "../api/grove/pod-clique-set.ts";
import { POD_SPEC_SCHEMA } from "../api/kubernetes/embedded-schemas.ts";
import { applyDefaults } from "../api/schema/defaults.ts";

/** Label value of one clique: its labels, annotations and pod spec, with the priority class of the set. */
export function podTemplateHash(clique: PodCliqueTemplate, priorityClassName: string | undefined): string {
  const known = cliqueHashes.get(clique);
  if (known !== undefined && known.priorityClassName === priorityClassName) return known.hash;
  const hash = safeEncode(fnv1a64(canonicalJson(podTemplate(clique, priorityClassName))));
  cliqueHashes.set(clique, { priorityClassName, hash });
  return hash;
}

/** Templates are never mutated, and every pass over every replica asks again. */
const cliqueHashes = new WeakMap<
  PodCliqueTemplate,
  { readonly priorityClassName: string | undefined; readonly hash: string }
>();

/** `status.currentGenerationHash` of a set: all its cliques, in order. */
export function generationHash(template: PodCliqueSetTemplate): string {
  const known = generationHashes.get(template);
  if (known !== undefined) return known;
  const { cliques, priorityClassName } = template;
  const hash = safeEncode(fnv1a64(canonicalJson(cliques.map((clique) => podTemplate(clique, priorityClassName)))));
  generationHashes.set(template, hash);
  return hash;
}

const generationHashes = new WeakMap<PodCliqueSetTemplate, string>();

function podTemplate(clique: PodCliqueTemplate, priorityClassName: string | undefined): unknown {
  const podSpec = {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    ...applyDefaults(POD_SPEC_SCHEMA, clique.spec.podSpec),
    priorityClassName,
  };
  return { labels: clique.labels, annotations: clique.annotations, podSpec };
}

/** Where an empty object says something else than nothing: "all" instead of "none". */
const MEANINGFUL_WHEN_EMPTY = new Set(["emptyDir", "labelSelector", "namespaceSelector"]);

/** JSON with sorted keys and without anything that is null or empty. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(canonical(value, "")) ?? "null";
}

function canonical(value: unknown, key: string): unknown {
  if (value === null || value === undefined || value === "") return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => canonical(item, "") ?? null);
  if (typeof value !== "object") return value;
  const entries = Object.entries(value)
    .map(([name, entry]) => [name, canonical(entry, name)] as const)
    .filter(([, entry]) => entry !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 && !MEANINGFUL_WHEN_EMPTY.has(key) ? undefined : Object.fromEntries(entries);
}

/** FNV-1a, 64 bits, over UTF-8, in decimal. http://www.isthe.com/chongo/tech/comp/fnv/ */
function fnv1a64(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString();
}

/** Kubernetes' `rand.SafeEncodeString`: no vowels, no digits that look like letters. */
function safeEncode(text: string): string {
  const alphabet = "bcdfghjklmnpqrstvwxz2456789";
  return [...text].map((char) => alphabet[char.charCodeAt(0) % alphabet.length]).join("");
}
