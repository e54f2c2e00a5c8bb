/** metav1.Status as the body of an answer. */
import type { ApiError } from "../../../kube/api-error.ts";
import type { JsonObject } from "../json.ts";

export interface StatusDetails {
  readonly name?: string | undefined;
  readonly group?: string | undefined;
  readonly kind?: string | undefined;
  readonly uid?: string | undefined;
}

export function failureStatus(error: ApiError, about: StatusDetails = {}): JsonObject {
  const { message, reason, code, causes, retryAfterSeconds } = error;
  const details = {
    ...definedOnly(about),
    ...(causes.length > 0 && {
      causes: causes.map((cause) => definedOnly({ reason: cause.reason, message: cause.message, field: cause.field })),
    }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    ...(Object.keys(details).length > 0 && { details }),
    code,
  };
}

export const deletedStatus = (about: StatusDetails): JsonObject => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Success",
  details: definedOnly(about),
});

function definedOnly(value: object): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([, child]) => child !== undefined && child !== ""));
}
