/** The defaulting and validating webhooks: `api/admission.ts` with what this operator and its cluster are like (grove.md 8.2). */
import { defaultObject, validateObject } from "../../api/admission.ts";
import type { GroveAdmissionOptions } from "../../api/grove/admission-options.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { diffJson } from "../../api/json-patch.ts";
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import {
  ALLOWED,
  type ReviewHandler,
  type ReviewRequest,
  type ReviewResponse,
  refuseFields,
} from "./admission-review.ts";

/** What is in force for this object now; asked anew for every request, and may read the cluster. Absent object: one that is not a PodCliqueSet. */
export type AdmissionLookup = (set?: PodCliqueSet) => Promise<GroveAdmissionOptions>;

const VALIDATE_CREATE = "ERR_VALIDATE_CREATE_PODCLIQUESET";
const VALIDATE_UPDATE = "ERR_VALIDATE_UPDATE_PODCLIQUESET";

export const defaultPodCliqueSets: ReviewHandler = async (request) => {
  const { object } = request;
  if (!isChange(request) || !object) return ALLOWED;
  return { allowed: true, patch: diffJson(object, defaultObject(inNamespace(object, request.namespace))) };
};

export const validatePodCliqueSets =
  (lookup: AdmissionLookup): ReviewHandler =>
  async (request) => {
    if (isTeardown(request)) return ALLOWED;
    const code = request.operation === "UPDATE" ? VALIDATE_UPDATE : VALIDATE_CREATE;
    return validate(request, await lookup(shapely(request.object)), code);
  };

export const validateClusterTopologies =
  (lookup: AdmissionLookup): ReviewHandler =>
  async (request) =>
    isTeardown(request) ? ALLOWED : validate(request, await lookup());

function validate(request: ReviewRequest, grove: GroveAdmissionOptions, code?: string): ReviewResponse {
  const { object, oldObject, operation } = request;
  if (!isChange(request) || !object) return ALLOWED;
  const { errors, warnings } = validateObject(
    {
      operation: operation === "UPDATE" ? "UPDATE" : "CREATE",
      object: inNamespace(object, request.namespace),
      ...(oldObject && { oldObject: inNamespace(oldObject, request.namespace) }),
    },
    { grove },
  );
  const answer = errors.length === 0 ? ALLOWED : refuseFields(request, errors, code);
  return warnings.length === 0 ? answer : { ...answer, warnings };
}

const isChange = ({ operation, subResource = "" }: ReviewRequest): boolean =>
  (operation === "CREATE" || operation === "UPDATE") && subResource === "";

/**
 * The finalizer must come off whatever the operator is configured to accept by then: an object that is on its way out would otherwise stay for ever when
 * its scheduler profile has been taken away.
 */
const isTeardown = ({ operation, object }: ReviewRequest): boolean =>
  operation === "UPDATE" && object?.metadata?.deletionTimestamp !== undefined;

/** Lookups read the template; what has none is refused by its shape later. */
function shapely(object: KubeObject | null | undefined): PodCliqueSet | undefined {
  const set = object as PodCliqueSet | null | undefined;
  return Array.isArray(set?.spec?.template?.cliques) ? set : undefined;
}

/** A client may leave the namespace to the path that it posts to. */
function inNamespace(object: KubeObject, namespace: string | undefined): KubeObject {
  if (object.metadata.namespace || !namespace) return object;
  return { ...object, metadata: { ...object.metadata, namespace } };
}
