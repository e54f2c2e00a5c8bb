/** What `doctor` asks about is what the shipped roles grant. */
import { expect, test } from "vitest";
import { AUTOSCALER_RIGHTS, OPERATOR_RIGHTS, type Rights } from "../../src/cli/doctor/permissions.ts";
import { readManifestFile } from "./manifests.ts";

const granted = (file: string): readonly Rights[] =>
  readManifestFile(file)
    .filter(({ kind }) => kind === "ClusterRole")
    .flatMap(({ rules = [] }) => rules)
    .flatMap(({ apiGroups, resources, verbs }) => apiGroups.map((group) => ({ group, resources, verbs })));
const each = (rights: readonly Rights[]): readonly string[] =>
  [
    ...new Set(
      rights.flatMap(({ group, resources, verbs }) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}.${group}`)),
      ),
    ),
  ].sort();

test.each([
  ["deploy/manifests/rbac-autoscaler.yaml", AUTOSCALER_RIGHTS],
  ["deploy/manifests/rbac-operator.yaml", OPERATOR_RIGHTS],
])("%s", (file, rights) => {
  expect(each(rights)).toEqual(each(granted(file)));
});
