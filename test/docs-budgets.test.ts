/** The objects in docs/budgets.md are admitted as they stand there. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { admit } from "../src/api/admission.ts";
import type { KubeObject } from "../src/api/kubernetes/meta.ts";

const page = readFileSync(new URL("../docs/budgets.md", import.meta.url), "utf8");

test("the objects of the page are admitted, without a warning", () => {
  const objects = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => parse(text ?? "") as KubeObject);
  expect(objects.map(({ kind }) => kind)).toEqual(["GPUBudget", "ScalingPolicy"]);
  for (const object of objects)
    expect(admit({ operation: "CREATE", object })).toMatchObject({ errors: [], warnings: [] });
});
