import { expect, test } from "vitest";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { standaloneClique } from "../pod-clique/clique-object.ts";
import { DEFAULT_SETTINGS } from "../settings.ts";
import { cliqueTemplate, storedSet } from "../test-objects.ts";
import { legacyNames, podGangNames } from "./gang-names.ts";

const NOTHING = { groups: [], cliques: [], gangs: [] };
const EPOCH = "1767225600000000000";

function setNamed(name: string, group = "g", uid = "set-uid"): PodCliqueSet {
  const set = storedSet({
    cliques: [cliqueTemplate("a"), cliqueTemplate("b")],
    podCliqueScalingGroups: [{ name: group, cliqueNames: ["b"], replicas: 3, minAvailable: 1 }],
  });
  return { ...set, metadata: { ...set.metadata, name, uid, creationTimestamp: "2026-01-01T00:00:00Z" } };
}
const set = setNamed("w");
const scaled = { setIndex: 2, group: "g", groupIndex: 4, minAvailable: 1 };

test("legacy: the number of a scaled gang counts from minAvailable, and there are no labels", () => {
  const names = podGangNames(set, "legacy", NOTHING);
  expect([names.base(2), names.scaled(scaled)]).toEqual(["w-2", "w-2-g-3"]);
  expect(names.labels({ setIndex: 2, scaled: true })).toEqual({});
});

test("epoch: the creation of the set in nanoseconds, and the replica of the group as it is", () => {
  const names = podGangNames({ ...set, status: { currentGenerationHash: "h" } as never }, "epoch", NOTHING);
  expect([names.base(2), names.scaled(scaled)]).toEqual([`w-2-${EPOCH}`, `w-2-${EPOCH}-g-4`]);
  const labels = {
    "grove.io/epoch": EPOCH,
    "grove.io/podcliqueset-replica-index": "2",
    "grove.io/podcliqueset-generation-hash": "h",
  };
  expect(names.labels({ setIndex: 2, scaled: false })).toEqual({ ...labels, "grove.io/podgang-role": "Anchor" });
  expect(names.labels({ setIndex: 2, scaled: true })).toEqual({ ...labels, "grove.io/podgang-role": "ScaleOut" });
});

test.each([
  ["a clique that carries legacy names", legacyNames(set), "epoch", "w-0"],
  ["a clique that carries an epoch", podGangNames(set, "epoch", NOTHING), "legacy", `w-0-${EPOCH}`],
] as const)("%s decides, whatever is configured", (_what, names, configured, base) => {
  const cliques = [
    standaloneClique(set, 0, set.spec.template.cliques[0]!, { settings: DEFAULT_SETTINGS, gangNames: names }),
  ];
  expect(podGangNames(set, configured, { ...NOTHING, cliques }).base(0)).toBe(base);
  // What a set of the same name has left behind decides nothing.
  const successor = setNamed("w", "g", "other-uid");
  expect(podGangNames(successor, configured, { ...NOTHING, cliques }).base(0)).toBe(
    configured === "epoch" ? `w-0-${EPOCH}` : "w-0",
  );
});

test("names that would not fit into a label, with room for four digits in each index, are legacy ones", () => {
  const longest = "x".repeat(63 - "-9999-".length - EPOCH.length - "-".length - "g-9999".length);
  const names = podGangNames(setNamed(longest), "epoch", NOTHING);
  expect(names.scaled({ ...scaled, setIndex: 9999, groupIndex: 9999 })).toHaveLength(63);
  expect(podGangNames(setNamed(`${longest}x`), "epoch", NOTHING).base(0)).toBe(`${longest}x-0`);
});
