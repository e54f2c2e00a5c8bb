/** The virtual resources with which a client asks who it is and what it may do. */
import type { Resource } from "../../../api/kubernetes/meta.ts";
import type { UserInfo } from "../core.ts";
import type { Authorize } from "../direct-api.ts";
import { isObject, type JsonObject, valueAt } from "../json.ts";

/**
 * @param now timestamp of a SelfSubjectReview: it carries one, the others do not
 * @returns the answer, or undefined when `path` is none of them
 */
export function review(
  path: string,
  body: JsonObject,
  user: UserInfo,
  users: ReadonlyMap<string, UserInfo>,
  authorize: Authorize | undefined,
  now: string,
): JsonObject | undefined {
  const userInfo = (who: UserInfo): JsonObject => ({
    username: who.username,
    uid: who.uid ?? "",
    groups: who.groups ?? [],
  });
  switch (path) {
    case "/apis/authentication.k8s.io/v1/selfsubjectreviews":
      return {
        ...answer(body, "authentication.k8s.io/v1", "SelfSubjectReview"),
        metadata: { creationTimestamp: now },
        status: { userInfo: userInfo(user) },
      };
    case "/apis/authentication.k8s.io/v1/tokenreviews": {
      const found = users.get(String(valueAt(body, ["spec", "token"])));
      const status =
        found === undefined ? { user: {}, error: "invalid token" } : { authenticated: true, user: userInfo(found) };
      return { ...answer(body, "authentication.k8s.io/v1", "TokenReview"), status };
    }
    case "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": {
      const wanted = valueAt(body, ["spec", "resourceAttributes"]);
      const allowed =
        !isObject(wanted) ||
        authorize === undefined ||
        authorize(user, text(wanted["verb"]), resourceOf(wanted), text(wanted["namespace"]) || undefined);
      return { ...answer(body, "authorization.k8s.io/v1", "SelfSubjectAccessReview"), status: { allowed } };
    }
    default:
      return undefined;
  }
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

function resourceOf(wanted: JsonObject): Resource {
  return {
    group: text(wanted["group"]),
    version: text(wanted["version"]) || "v1",
    kind: "",
    plural: text(wanted["resource"]),
    namespaced: text(wanted["namespace"]) !== "",
  };
}

const answer = (body: JsonObject, apiVersion: string, kind: string): JsonObject => ({
  ...body,
  apiVersion,
  kind,
  metadata: body["metadata"] ?? {},
});
