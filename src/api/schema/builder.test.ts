import { describe, expect, expectTypeOf, test } from "vitest";
import {
  array,
  boolean,
  defaulted,
  derived,
  type Infer,
  type InferInput,
  int32,
  literals,
  object,
  optional,
  record,
  string,
} from "./builder.ts";
import { applyDefaults } from "./defaults.ts";
import { validateSchema } from "./validate.ts";

const Budget = object({
  capacity: int32({ minimum: 0 }),
  mode: defaulted(literals(["On", "Off"]), "On"),
  limits: defaulted(object({ soft: defaulted(int32(), 7), hard: optional(int32()) }), {}),
  names: optional(array(string(), { listType: "set", maxItems: 2 })),
  byName: optional(record(object({ on: defaulted(boolean(), true) }))),
  summary: derived(string()),
});

test("one declaration gives the types after and before defaulting", () => {
  expectTypeOf<Infer<typeof Budget>>().toEqualTypeOf<{
    readonly capacity: number;
    readonly mode: "On" | "Off";
    readonly limits: { readonly soft: number; readonly hard?: number };
    readonly summary: string;
    readonly names?: readonly string[];
    readonly byName?: Readonly<Record<string, { readonly on: boolean }>>;
  }>();
  expectTypeOf<{ readonly capacity: 1 }>().toExtend<InferInput<typeof Budget>>();
  expect(Budget.json.required).toEqual(["capacity"]);
});

describe("defaults", () => {
  test("a default of {} pulls in the defaults inside it, also in maps", () => {
    expect(applyDefaults(Budget.json, { capacity: 1, byName: { x: {} } })).toEqual({
      capacity: 1,
      mode: "On",
      limits: { soft: 7 },
      byName: { x: { on: true } },
    });
  });

  test("what is there stays, and a complete object comes back itself", () => {
    const complete = { capacity: 1, mode: "Off", limits: { soft: 1 } };
    expect(applyDefaults(Budget.json, complete)).toBe(complete);
  });
});

test.each<[string, unknown, readonly string[]]>([
  ["good", { capacity: 1 }, []],
  ["nothing", {}, ["b.capacity: is required"]],
  ["a float", { capacity: 1.5 }, ["b.capacity: must be a whole number, not 1.5"]],
  ["below the minimum", { capacity: -1 }, ["b.capacity: must be at least 0, not -1"]],
  ["beyond int32", { capacity: 2 ** 31 }, ["b.capacity: must be at most 2147483647, not 2147483648"]],
  ["not in the list", { capacity: 1, mode: "on" }, ['b.mode: must be one of "On", "Off", not "on"']],
  ["a repeated entry", { capacity: 1, names: ["a", "a"] }, ['b.names[1]: repeats "a"; every entry must differ']],
  ["too many", { capacity: 1, names: ["a", "b", "c"] }, ["b.names: must have at most 2 entries, has 3"]],
  ["wrong type inside", { capacity: 1, byName: { x: { on: 1 } } }, ["b.byName.x.on: must be a boolean, not number"]],
  ["null", { capacity: null }, ["b.capacity: must be a whole number, not null"]],
  ["unknown", { capacity: 1, Mode: "On" }, ["b.Mode: is unknown; did you mean mode?"]],
  [
    "named like a method",
    { capacity: 1, toString: 1 },
    ["b.toString: is unknown; known here: capacity, mode, limits, names, byName, summary"],
  ],
])("validation: %s", (_name, value, want) => {
  const errors = validateSchema(Budget.json, value, "b", { rejectUnknown: true });
  expect(errors.map(({ field, message }) => `${field}: ${message}`)).toEqual(want);
});
