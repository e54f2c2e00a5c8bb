/** Keeps people's hands off managed objects: the optional authorizer webhook (grove.md 8.3). */
import type { KubeObject, ObjectKey } from "../../api/kubernetes/meta.ts";
import { labelOf, PART_OF } from "../labels.ts";
import { ALLOWED, type ReviewHandler, type ReviewRequest, type ReviewResponse, refusal } from "./admission-review.ts";

export const DISABLE_PROTECTION_ANNOTATION = "grove.io/disable-managed-resource-protection";

export interface AuthorizerOptions {
  /** `system:serviceaccount:<namespace>:<name>` of this operator. */
  readonly operatorUser: string;
  readonly exemptUsers: readonly string[];
  readonly findSet: (key: ObjectKey) => Promise<KubeObject | undefined>;
}

export function authorizeChanges({ operatorUser, exemptUsers, findSet }: AuthorizerOptions): ReviewHandler {
  return async (request) => {
    // 1. CONNECT is a matter of RBAC alone.
    if (request.operation === "CONNECT") return ALLOWED;
    const object = request.operation === "DELETE" ? request.oldObject : request.object;
    if (!object) return refusal(400, "BadRequest", `the ${request.operation} review carries no object`);
    // 2. Whose object is it?
    const namespace = object.metadata.namespace ?? request.namespace ?? "";
    const what = `${namespace}/${object.metadata.name ?? request.name ?? ""}`;
    const partOf = labelOf(object, PART_OF);
    if (partOf === undefined) {
      return warned(`missing required label ${PART_OF} on resource ${what}, could not determine parent PodCliqueSet`);
    }
    const set = await findSet({ namespace, name: partOf });
    if (set === undefined) return warned(`parent PodCliqueSet ${partOf} not found for resource: ${what}`);
    // 3. Its owner may open it for everybody.
    if (set.metadata.annotations?.[DISABLE_PROTECTION_ANNOTATION] === "true") return ALLOWED;
    // 4. Pods may go, by anybody whom RBAC lets: they come back.
    if (request.operation === "DELETE" && isPod(request)) return ALLOWED;
    const user = request.userInfo?.username ?? "";
    if (user === operatorUser || exemptUsers.includes(user)) return ALLOWED;
    const act = request.operation === "DELETE" ? "deletion" : "creation/updation";
    return refusal(
      403,
      "Forbidden",
      `admission denied, ${act} of resource: ${what} is not allowed; change PodCliqueSet ${partOf} instead, or set its annotation ${DISABLE_PROTECTION_ANNOTATION} to "true"`,
    );
  };
}

const warned = (warning: string): ReviewResponse => ({ ...ALLOWED, warnings: [warning] });

const isPod = ({ kind }: ReviewRequest): boolean => kind.group === "" && kind.kind === "Pod";
