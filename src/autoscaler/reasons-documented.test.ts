import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
const page = read("../../docs/reference/conditions.md");

test("every condition, reason and event that the code can write is in the reference", () => {
  const code = [
    read("conditions.ts"),
    read("policy-events.ts"),
    read("resolve.ts"),
    read("write-gate.ts"),
    read("slo-conditions.ts"),
  ].join("\n");
  const words = [
    ...[...code.matchAll(/draft\("(\w+)", \w+, "(\w+)"/g)].flatMap(([, type, reason]) => [type, reason]),
    ...[...code.matchAll(/reason: "(\w+)"/g)].map(([, reason]) => reason),
  ];
  expect(words.length).toBeGreaterThan(40);
  expect([...new Set(words)].filter((word) => !page.includes(`\`${word}\``))).toEqual([]);
});
