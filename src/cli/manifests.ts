/** Reads Kubernetes manifests from files, with errors that name the file and the field. */
import { type Document, parseAllDocuments } from "yaml";
import { admit } from "../api/admission.ts";
import { RESOURCE_DEFINITIONS } from "../api/crds/all.ts";
import { apiVersionOf, type KubeObject, type Resource } from "../api/kubernetes/meta.ts";
import { UsageError } from "./errors.ts";
import { readTextFile } from "./files.ts";

/** The objects of a YAML file (several documents, or a List). @param flag that names the file */
export function readManifests(flag: string, file: string): readonly KubeObject[] {
  const objects = parseAllDocuments(readTextFile(flag, file), { merge: true }).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new UsageError(`${file}: ${error.message.split("\n")[0]}`);
    const value = contentOf(document, file) as (KubeObject & { readonly items?: unknown }) | null;
    if (value === null) return [];
    if (value.kind !== "List") return [value];
    const { items = [] } = value;
    if (!Array.isArray(items)) throw new UsageError(`${file}: items of the List must be a list of objects`);
    return items as readonly KubeObject[];
  });
  if (objects.length === 0) throw new UsageError(`${file} holds no object`);
  for (const object of objects) {
    const { apiVersion, kind, metadata } = (object ?? {}) as Partial<KubeObject>;
    if (apiVersion === undefined || kind === undefined || metadata?.name === undefined) {
      throw new UsageError(`${file}: every object needs apiVersion, kind and metadata.name`);
    }
  }
  return objects;
}

function contentOf(document: Document, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new UsageError(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}

/** The one object of a kind in a file. @throws UsageError naming what is wrong with it, by field */
export function readOne<T extends KubeObject>(flag: string, file: string, resource: Resource<T>): T {
  const found = readManifests(flag, file).filter((object) => isOf(object, resource));
  const [object, second] = found;
  if (object === undefined) throw new UsageError(`${file} holds no ${resource.kind}`);
  if (second !== undefined) throw new UsageError(`${file} holds more than one ${resource.kind}; name one`);
  const { object: complete, errors } = admit({ operation: "CREATE", object });
  if (errors.length > 0) {
    const lines = errors.map(({ field, message }) => `${field}: ${message}`).join("; ");
    throw new UsageError(`${file}: ${resource.kind} ${object.metadata.name}: ${lines}`);
  }
  return complete as T;
}

const isOf = ({ apiVersion, kind }: KubeObject, resource: Resource): boolean =>
  kind === resource.kind && apiVersion === apiVersionOf(resource);

/** The resource of an object of one of our kinds. */
export function resourceOf(object: KubeObject): Resource | undefined {
  return RESOURCE_DEFINITIONS.find(({ resource }) => isOf(object, resource))?.resource;
}
