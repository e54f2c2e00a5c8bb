/** The shipped manifests as objects. */
import { readdirSync, readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../../src/api/kubernetes/meta.ts";

export const ROOT = new URL("../../", import.meta.url);

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

export interface Manifest extends KubeObject {
  readonly rules?: readonly Rule[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[];
  readonly resources?: readonly string[];
  readonly spec?: unknown;
}

export function readManifestFile(path: string): readonly Manifest[] {
  return parseAllDocuments(readFileSync(new URL(path, ROOT), "utf8")).map((document) => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors[0]?.message}`);
    return document.toJS() as Manifest;
  });
}

/** Files of a kustomization, by their paths from the root of the project. */
export function kustomized(folder: string): readonly string[] {
  const [kustomization] = readManifestFile(`${folder}/kustomization.yaml`);
  return (kustomization?.resources ?? []).flatMap((path) =>
    path.endsWith(".yaml") ? [`${folder}/${path}`] : kustomized(`${folder}/${path}`),
  );
}

export const filesIn = (folder: string): readonly string[] =>
  readdirSync(new URL(folder, ROOT))
    .filter((name) => name.endsWith(".yaml") && name !== "kustomization.yaml")
    .map((name) => `${folder}/${name}`);
