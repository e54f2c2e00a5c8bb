/** The Table form of objects: what `kubectl get` prints. */
import { AGE_COLUMN, NAME_COLUMN } from "../builtin-columns.ts";
import type { JsonObject, StoredObject } from "../json.ts";
import type { Column, Kind } from "../kind.ts";

export type IncludeObject = "None" | "Metadata" | "Object";

export interface TableOptions {
  readonly include: IncludeObject;
  readonly nowMs: number;
  /** Only the first table of a watch carries the columns. */
  readonly withColumns: boolean;
}

export function table(
  kind: Kind,
  objects: readonly StoredObject[],
  meta: JsonObject,
  options: TableOptions,
): JsonObject {
  const columns = kind.columns ?? [NAME_COLUMN, AGE_COLUMN];
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: meta,
    columnDefinitions: options.withColumns ? columns.map(definition) : [],
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, options.nowMs) ?? null),
      ...shown(object, options.include),
    })),
  };
}

/** PartialObjectMetadata of meta.k8s.io/v1. */
export const partialObject = ({ metadata }: StoredObject): JsonObject => ({
  kind: "PartialObjectMetadata",
  apiVersion: "meta.k8s.io/v1",
  metadata,
});

function shown(object: StoredObject, include: IncludeObject): JsonObject {
  if (include === "None") return {};
  return { object: include === "Object" ? object : partialObject(object) };
}

const definition = ({ name, type, format = "", description = "", priority = 0 }: Column): JsonObject => ({
  name,
  type,
  format,
  description,
  priority,
});
