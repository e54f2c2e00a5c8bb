import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { certificateNames, initContainerImage, operatorNamespace, operatorUser, podGangNames } from "./environment.ts";

describe("the image of the init container", () => {
  test.each([
    ["registry/grove-initc", "registry/grove-initc:1.2.3"],
    ["grove-initc", "grove-initc:1.2.3"],
    ["localhost:5000/grove-initc", "localhost:5000/grove-initc:1.2.3"],
    ["registry/grove-initc:v7", "registry/grove-initc:v7"],
    ["registry/grove-initc@sha256:0123", "registry/grove-initc@sha256:0123"],
    [" grove-initc ", "grove-initc:1.2.3"],
    ["", undefined],
    [undefined, undefined],
  ])("%j is %j", (image, complete) => {
    expect(initContainerImage({ GROVE_INIT_CONTAINER_IMAGE: image }, "1.2.3")).toBe(complete);
  });

  test("its tag can be set apart, and is not put on one that has its own", () => {
    const tag = { GROVE_INIT_CONTAINER_TAG: "main" };
    expect(initContainerImage({ GROVE_INIT_CONTAINER_IMAGE: "initc", ...tag }, "1")).toBe("initc:main");
    expect(initContainerImage({ GROVE_INIT_CONTAINER_IMAGE: "initc:v1", ...tag }, "1")).toBe("initc:v1");
  });
});

test("the names of PodGangs: legacy unless told otherwise, and nothing else than the two", () => {
  expect(podGangNames({})).toBe("legacy");
  expect(podGangNames({ GROVE_PODGANG_NAMES: "" })).toBe("legacy");
  expect(podGangNames({ GROVE_PODGANG_NAMES: " epoch " })).toBe("epoch");
  expect(() => podGangNames({ GROVE_PODGANG_NAMES: "Epoch" })).toThrow(
    expect.objectContaining({ exitCode: 2, message: expect.stringContaining('"Epoch"; use legacy') }),
  );
});

test("the namespace is that of the pod, of the mounted account, of the kubeconfig, in this order", () => {
  const folder = mkdtempSync(join(tmpdir(), "grove-environment-"));
  try {
    const file = join(folder, "namespace");
    expect(operatorNamespace({}, "default", file)).toBe("default");
    writeFileSync(file, "grove-system\n");
    expect(operatorNamespace({}, "default", file)).toBe("grove-system");
    expect(operatorNamespace({ POD_NAMESPACE: "mine" }, "default", file)).toBe("mine");
    writeFileSync(file, "");
    expect(operatorNamespace({ POD_NAMESPACE: "" }, "default", file)).toBe("default");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the operator's user is its service account", () => {
  const environment = { GROVE_OPERATOR_SERVICE_ACCOUNT_NAME: "grove-operator" };
  expect(operatorUser(environment, "grove-system")).toBe("system:serviceaccount:grove-system:grove-operator");
  expect(operatorUser({}, "grove-system")).toBeUndefined();
});

test("certificates are for the Service first, and for the address that is listened on", () => {
  const inPod = certificateNames("grove-system", "", true);
  expect(inPod).toEqual([
    "grove-operator.grove-system.svc",
    "grove-operator.grove-system.svc.cluster.local",
    "grove-operator.grove-system",
    "grove-operator",
    "localhost",
    "127.0.0.1",
    "::1",
  ]);
  expect(certificateNames("x", "10.1.2.3", true)).toContain("10.1.2.3");
  expect(certificateNames("x", "127.0.0.1", false).filter((name) => name === "127.0.0.1")).toHaveLength(1);
  expect(certificateNames("x", "0.0.0.0", false)).not.toContain("0.0.0.0");
});
