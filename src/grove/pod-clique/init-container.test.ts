import { describe, expect, test } from "vitest";
import { missingParents, parseParentArguments } from "../../api/grove/startup-parents.ts";
import { DEFAULT_SETTINGS } from "../settings.ts";
import { cliqueTemplate, storedClique, storedPod, storedSet } from "../test-objects.ts";
import { startupProblem } from "./init-container.ts";
import { podObject } from "./pod-object.ts";

const image = "registry.example/grove-initc:v1";
const set = storedSet({
  cliques: [cliqueTemplate("a", 2, 1), cliqueTemplate("x-a", 4, 3), cliqueTemplate("b", 3, 2)],
  podCliqueScalingGroups: [{ name: "g", cliqueNames: ["b"], replicas: 2, minAvailable: 2 }],
});
const child = storedClique(set, { startsAfter: ["w-0-x-a", "w-0-g-0-b", "w-0-g-1-b"] });
const podOf = (clique = child) =>
  podObject({ clique, set, settings: { ...DEFAULT_SETTINGS, initContainerImage: image }, podIndex: 0 });

describe("the init container", () => {
  test("is the last, waits for the template's minimum of each parent, and reads gang and token from mounts", () => {
    const withOwn = storedClique(set, {
      startsAfter: ["w-0-x-a", "w-0-g-1-b"],
      podSpec: { initContainers: [{ name: "mine", image: "i" }], containers: [{ name: "main", image: "x" }] },
    });
    const { initContainers, volumes } = podOf(withOwn).spec;
    expect(initContainers?.map(({ name }) => name)).toEqual(["mine", "grove-initc"]);
    expect(initContainers?.[1]).toEqual({
      name: "grove-initc",
      image,
      args: ["--podcliques=w-0-x-a:3", "--podcliques=w-0-g-1-b:2"],
      volumeMounts: [
        { name: "sa-token-secret-vol", readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" },
        { name: "pod-info-vol", readOnly: true, mountPath: "/var/grove/pod-info" },
      ],
    });
    expect(volumes?.[0]).toMatchObject({
      name: "sa-token-secret-vol",
      secret: { secretName: "w-ic-sat", defaultMode: 420 },
    });
    expect(volumes?.[1]).toMatchObject({ name: "pod-info-vol" });
  });

  test("is not there without parents", () => {
    expect(podOf(storedClique(set)).spec).not.toHaveProperty("initContainers");
  });

  test("parents are found by their whole name, not by how it ends", () => {
    expect(startupProblem(storedClique(set, { startsAfter: ["w-0-a"] }), set, image)).toBeUndefined();
    expect(startupProblem(storedClique(set, { startsAfter: ["w-0-y-a"] }), set, image)?.code).toBe(
      "ERR_MISSING_PODCLIQUE_TEMPLATE",
    );
    expect(startupProblem(child, set, undefined)?.code).toBe("ERR_INITCONTAINER_ENVIRONMENT_VARIABLE_MISSING");
  });
});

describe("what it is told", () => {
  test.each([
    [
      ["--podcliques=a:1", "--podcliques=b:2"],
      [
        ["a", 1],
        ["b", 2],
      ],
    ],
    [
      ["-p", "a:1", "-p=b:2,c:3"],
      [
        ["a", 1],
        ["b", 2],
        ["c", 3],
      ],
    ],
  ])("%j", (args, expected) => {
    expect(parseParentArguments(args).map(({ clique, minAvailable }) => [clique, minAvailable])).toEqual(expected);
  });
  test.each([
    ["--podcliques=a"],
    ["--podcliques=:1"],
    ["--podcliques=a:0"],
    ["--podcliques=a:x"],
    ["--podcliques"],
    ["a:1"],
  ])("%s is refused", (argument) => {
    expect(() => parseParentArguments([argument])).toThrow("ERR_INVALID_INPUT");
  });
});

test("a parent is ready with its minimum of pods, told by their label", () => {
  const ready = [0, 1].map((index) => storedPod(child, { index, scheduled: true, ready: true }));
  const name = child.metadata.name;
  expect(missingParents([{ clique: name, minAvailable: 2 }], ready)).toEqual([]);
  expect(
    missingParents(
      [
        { clique: name, minAvailable: 3 },
        { clique: name.slice(0, -1), minAvailable: 1 },
      ],
      ready,
    ),
  ).toEqual([`${name} has 2 of 3 pods ready`, `${name.slice(0, -1)} has 0 of 1 pods ready`]);
});
