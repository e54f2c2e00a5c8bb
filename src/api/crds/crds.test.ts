import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { CustomResourceDefinition } from "../kubernetes/core.ts";
import type { StructuralSchema } from "../schema/structural-schema.ts";
import { customResourceDefinitions } from "./all.ts";
import { staleCrdFiles } from "./write.ts";

test("the committed CRD files are fresh", () => {
  expect(staleCrdFiles()).toEqual([]);
});

describe("structural rules of apiextensions/v1", () => {
  test.each(customResourceDefinitions().map((crd) => [crd.metadata.name, crd] as const))("%s", (_name, crd) => {
    const problems: string[] = [];
    walk(schemaOf(crd), "", (path, node) => {
      const intOrString = node["x-kubernetes-int-or-string"] === true;
      if (node.type === undefined && !intOrString) problems.push(`${path}: no type`);
      if (node.properties !== undefined && node.additionalProperties !== undefined) problems.push(`${path}: both maps`);
      if (node.type === "array" && node.items === undefined) problems.push(`${path}: array without items`);
      for (const key of node["x-kubernetes-list-map-keys"] ?? []) {
        const known = node.items?.required?.includes(key) || node.items?.properties?.[key]?.default !== undefined;
        if (!known) problems.push(`${path}: list key ${key} is neither required nor defaulted`);
      }
      for (const name of node.required ?? []) {
        if (node.properties?.[name] === undefined) problems.push(`${path}: required ${name} is not a property`);
      }
    });
    expect(problems).toEqual([]);
  });
});

/** Facts about the upstream CRDs, kept beside the repository and not part of it. */
const INVENTORY = fileURLToPath(new URL("../../../../shared/spec/grove-schema.json", import.meta.url));

interface InventoryField {
  readonly path: string;
  readonly type: string;
  readonly format?: string;
  readonly required?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly min?: number;
  readonly max?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly pattern?: string;
  readonly listType?: string;
  readonly listMapKeys?: readonly string[];
  readonly mapType?: string;
  readonly embeds?: string;
  readonly preserveUnknown?: boolean;
  readonly cel?: readonly { readonly errorText: string; readonly reason?: string; readonly fieldPath?: string }[];
}

interface Inventory {
  readonly crds: readonly {
    readonly crd: string;
    readonly group: string;
    readonly version: string;
    readonly kind: string;
    readonly listKind: string;
    readonly plural: string;
    readonly singular: string;
    readonly shortNames: readonly string[];
    readonly scope: string;
    readonly subresources: unknown;
    readonly printerColumns: unknown;
    readonly requiredTopLevel: readonly string[];
    readonly rootCel: NonNullable<InventoryField["cel"]>;
    readonly fields: readonly InventoryField[];
  }[];
  readonly embedded: Readonly<Record<string, readonly InventoryField[]>>;
}

const present = existsSync(INVENTORY);
if (!present) process.stderr.write("skipped: no field inventory of the upstream Grove CRDs beside the repository\n");

describe.skipIf(!present)("Grove CRDs against the upstream inventory", () => {
  const inventory: Inventory = present ? JSON.parse(readFileSync(INVENTORY, "utf8")) : { crds: [], embedded: {} };

  test("five kinds are listed", () => {
    expect(inventory.crds.map(({ kind }) => kind).sort()).toEqual([
      "ClusterTopologyBinding",
      "PodClique",
      "PodCliqueScalingGroup",
      "PodCliqueSet",
      "PodGang",
    ]);
  });

  test.each(inventory.crds.map((crd) => [crd.crd, crd] as const))("%s: names, columns, subresources", (name, want) => {
    const crd = customResourceDefinitions().find(({ metadata }) => metadata.name === name);
    const version = crd?.spec.versions[0];
    expect({
      group: crd?.spec.group,
      version: version?.name,
      scope: crd?.spec.scope,
      names: crd?.spec.names,
      subresources: version?.subresources,
      printerColumns: version?.additionalPrinterColumns,
      required: (version?.schema?.openAPIV3Schema as StructuralSchema | undefined)?.required,
    }).toEqual({
      group: want.group,
      version: want.version,
      scope: want.scope,
      names: {
        kind: want.kind,
        listKind: want.listKind,
        plural: want.plural,
        singular: want.singular,
        shortNames: want.shortNames,
      },
      subresources: want.subresources,
      printerColumns: want.printerColumns,
      required: want.requiredTopLevel,
    });
  });

  test.each(inventory.crds.map((crd) => [crd.crd, crd] as const))("%s: every field", (name, want) => {
    const crd = customResourceDefinitions().find(({ metadata }) => metadata.name === name);
    if (crd === undefined) throw new Error(`${name} is not defined`);
    const root = schemaOf(crd);
    const expected = want.fields.flatMap((field) => [
      describeInventory(field, ""),
      ...(inventory.embedded[field.embeds ?? ""] ?? []).map((inner) =>
        describeInventory(inner, `${field.path}${field.type.startsWith("array") ? "[]" : ""}.`),
      ),
    ]);
    const { spec, status } = root.properties ?? {};
    const actual = describeSchema({
      type: "object",
      properties: { ...(spec && { spec }), ...(status && { status }) },
      ...(root.required && { required: root.required }),
    });
    expect(Object.fromEntries(actual)).toEqual(Object.fromEntries(expected));
    expect(celOf(root)).toEqual(want.rootCel.map(pickCel));
  });
});

function schemaOf(crd: CustomResourceDefinition): StructuralSchema {
  return crd.spec.versions[0]?.schema?.openAPIV3Schema as StructuralSchema;
}

function walk(node: StructuralSchema, path: string, visit: (path: string, node: StructuralSchema) => void): void {
  visit(path, node);
  for (const [name, property] of Object.entries(node.properties ?? {})) walk(property, `${path}.${name}`, visit);
  if (node.items !== undefined) walk(node.items, `${path}[]`, visit);
  if (node.additionalProperties !== undefined) walk(node.additionalProperties, `${path}{}`, visit);
}

type Row = readonly [path: string, facts: Readonly<Record<string, unknown>>];

function describeInventory(field: InventoryField, prefix: string): Row {
  const { path, cel, embeds: _embeds, min, max, ...facts } = field;
  return [
    `${prefix}${path}`,
    withoutUndefined({ ...facts, minimum: min, maximum: max, cel: cel?.map(pickCel) ?? undefined }),
  ];
}

/** One row per property, in the inventory's words: the facets of scalar items belong to the list's row. */
function describeSchema(root: StructuralSchema): readonly Row[] {
  const rows: Row[] = [];
  walk(root, "", (path, node) => {
    for (const [name, property] of Object.entries(node.properties ?? {})) {
      const scalar = property.items?.properties === undefined ? property.items : undefined;
      const cel = celOf(property);
      rows.push([
        `${path}.${name}`,
        withoutUndefined({
          type: typeName(property),
          format: property.format,
          required: node.required?.includes(name) ? true : undefined,
          default: property.default,
          enum: property.enum,
          minimum: property.minimum,
          maximum: property.maximum,
          minLength: property.minLength,
          maxLength: property.maxLength,
          minItems: property.minItems,
          maxItems: property.maxItems,
          pattern: property.pattern ?? scalar?.pattern,
          listType: property["x-kubernetes-list-type"],
          listMapKeys: property["x-kubernetes-list-map-keys"],
          mapType: property["x-kubernetes-map-type"],
          preserveUnknown: property["x-kubernetes-preserve-unknown-fields"],
          cel: cel.length > 0 ? cel : undefined,
        }),
      ]);
    }
  });
  return rows;
}

function typeName(node: StructuralSchema): string {
  if (node["x-kubernetes-int-or-string"] === true) return "int-or-string";
  if (node.items !== undefined) return `array<${typeName(node.items)}>`;
  if (node.additionalProperties !== undefined) return `map<string,${typeName(node.additionalProperties)}>`;
  return node.type ?? "none";
}

const celOf = (node: StructuralSchema): readonly unknown[] =>
  (node["x-kubernetes-validations"] ?? []).map(({ message, reason, fieldPath }) =>
    pickCel({ errorText: message, ...(reason && { reason }), ...(fieldPath && { fieldPath }) }),
  );

const pickCel = ({ errorText, reason, fieldPath }: NonNullable<InventoryField["cel"]>[number]): unknown =>
  withoutUndefined({ errorText, reason, fieldPath });

function withoutUndefined(facts: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
