/** Rules of resource claims and their templates (resource.k8s.io/v1): defaults of device requests, and specs that never change. */

import { equalJson } from "../../api/json.ts";
import { invalidValue } from "./failure.ts";
import { isObject, type JsonObject, type StoredObject } from "./json.ts";
import type { KindRules } from "./kind.ts";

const immutableSpec: NonNullable<KindRules["validate"]> = (object, old, subresource) =>
  old === undefined || subresource !== undefined || equalJson(object["spec"], old["spec"])
    ? []
    : [invalidValue("spec", object["spec"], "field is immutable")];

export const CLAIM_RULES: KindRules = {
  prepareCreate: (object) => withSpec(object, withRequestDefaults),
  prepareUpdate: (object) => withSpec(object, withRequestDefaults),
  validate: immutableSpec,
};

export const CLAIM_TEMPLATE_RULES: KindRules = {
  prepareCreate: (object) => withSpec(object, withInnerDefaults),
  prepareUpdate: (object) => withSpec(object, withInnerDefaults),
  validate: immutableSpec,
};

function withSpec(object: StoredObject, change: (spec: JsonObject) => JsonObject): StoredObject {
  return isObject(object["spec"]) ? { ...object, spec: change(object["spec"]) } : object;
}

const withInnerDefaults = (spec: JsonObject): JsonObject =>
  isObject(spec["spec"]) ? { ...spec, spec: withRequestDefaults(spec["spec"]) } : spec;

function withRequestDefaults(spec: JsonObject): JsonObject {
  const { devices } = spec;
  if (!isObject(devices) || !Array.isArray(devices["requests"])) return spec;
  const requests = devices["requests"].map((request: unknown) => {
    if (!isObject(request) || !isObject(request["exactly"])) return request;
    const exactly = { allocationMode: "ExactCount", ...request["exactly"] };
    return { ...request, exactly: exactly.allocationMode === "ExactCount" ? { count: 1, ...exactly } : exactly };
  });
  return { ...spec, devices: { ...devices, requests } };
}
