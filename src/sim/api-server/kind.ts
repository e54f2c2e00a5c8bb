/** A kind the server serves, in one version: where it lives, what its objects look like, and its own rules. */
import { apiVersionOf, type Resource } from "../../api/kubernetes/meta.ts";
import type { FieldError } from "./failure.ts";
import type { StoredObject } from "./json.ts";
import type { Schema } from "./schema.ts";

export interface Kind {
  readonly resource: Resource;
  /** Versions of one resource share a collection of the store. */
  readonly collection: string;
  readonly apiVersion: string;
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly isCustom: boolean;
  readonly schema: Schema;
  readonly subresources: readonly string[];
  readonly scale: ScalePaths | undefined;
  /** Spec changes bump `metadata.generation`. */
  readonly hasGeneration: boolean;
  /** A PUT without resourceVersion overwrites whatever is there. */
  readonly allowsUnconditionalUpdate: boolean;
  /** An immediate DELETE answers with the object instead of a Status. */
  readonly returnsDeleted: boolean;
  /** Field selectors besides metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
  readonly columns: readonly Column[] | undefined;
  readonly rules: KindRules;
}

export interface KindRules {
  /** Server-side defaults and what a client cannot choose at creation. */
  prepareCreate?(object: StoredObject, nowMs: number): StoredObject;
  prepareUpdate?(object: StoredObject, old: StoredObject, subresource: string | undefined): StoredObject;
  validate?(
    object: StoredObject,
    old: StoredObject | undefined,
    subresource: string | undefined,
  ): readonly FieldError[];
  /** How object names are checked; DNS-1123 subdomains when absent. */
  readonly names?: "subdomain" | "label" | "path" | "service";
}

/** Paths of `/scale` as field names, from the object down. */
export interface ScalePaths {
  readonly replicas: readonly string[];
  readonly statusReplicas: readonly string[];
  readonly selector: readonly string[] | undefined;
}

/** One column of `kubectl get`. `priority` above 0 is only shown wide. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
  cell(object: StoredObject, nowMs: number): unknown;
}

export const hasStatus = (kind: Kind): boolean => kind.subresources.includes("status");

/** The kinds in service, found by the place in the URL. */
export class KindRegistry {
  readonly #byPath = new Map<string, Kind>();
  readonly #byOwner = new Map<string, Kind>();

  /** Grows with every change of what is served. */
  revision = 0;

  add(kind: Kind): void {
    this.revision++;
    this.#byPath.set(`${kind.apiVersion}/${kind.resource.plural}`, kind);
    this.#byOwner.set(`${kind.apiVersion}/${kind.resource.kind}`, kind);
  }

  remove(kind: Kind): void {
    this.revision++;
    this.#byPath.delete(`${kind.apiVersion}/${kind.resource.plural}`);
    this.#byOwner.delete(`${kind.apiVersion}/${kind.resource.kind}`);
  }

  find({ group, version, plural }: Pick<Resource, "group" | "version" | "plural">): Kind | undefined {
    return this.#byPath.get(`${apiVersionOf({ group, version })}/${plural}`);
  }

  /** By the `apiVersion` and `kind` of an object or owner reference. */
  findKind(apiVersion: string, kind: string): Kind | undefined {
    return this.#byOwner.get(`${apiVersion}/${kind}`);
  }

  all(): Kind[] {
    return [...this.#byPath.values()];
  }
}
