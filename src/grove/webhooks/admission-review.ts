/** AdmissionReview of admission.k8s.io/v1: what an API server asks a webhook, and the answers it understands. */

import type { PatchOperation } from "../../api/json-patch.ts";
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import type { FieldError } from "../../api/schema/validate.ts";

export const REVIEW_API_VERSION = "admission.k8s.io/v1";

export interface ReviewRequest {
  readonly uid: string;
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly subResource?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly userInfo?: { readonly username?: string; readonly groups?: readonly string[] };
  /** Null on DELETE. */
  readonly object?: KubeObject | null;
  /** Null on CREATE. */
  readonly oldObject?: KubeObject | null;
  readonly dryRun?: boolean;
}

/** metav1.Status, as far as a refusal carries it to the client. */
export interface ReviewStatus {
  readonly status: "Failure";
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly details?: {
    readonly name?: string;
    readonly group?: string;
    readonly kind?: string;
    readonly causes?: readonly { readonly reason: string; readonly field: string; readonly message: string }[];
  };
}

export interface ReviewResponse {
  readonly allowed: boolean;
  readonly status?: ReviewStatus;
  readonly patch?: readonly PatchOperation[];
  readonly warnings?: readonly string[];
}

export type ReviewHandler = (request: ReviewRequest) => Promise<ReviewResponse>;

/** Thrown when what was sent is no review; answered with 400. */
export class ReviewError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ReviewError";
  }
}

/** @returns the review to send back. A handler that throws refuses with 500, which is what the client of the API server then sees. */
export async function answerReview(body: unknown, handler: ReviewHandler): Promise<unknown> {
  const request = requestOf(body);
  const response = await handler(request).catch(
    (error: unknown): ReviewResponse =>
      refusal(500, "InternalError", error instanceof Error ? error.message : String(error)),
  );
  const { patch = [], warnings = [], ...rest } = response;
  return {
    apiVersion: REVIEW_API_VERSION,
    kind: "AdmissionReview",
    response: {
      uid: request.uid,
      ...rest,
      ...(patch.length > 0 && {
        patchType: "JSONPatch",
        patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
      }),
      ...(warnings.length > 0 && { warnings: warnings.map(asWarning) }),
    },
  };
}

export const ALLOWED: ReviewResponse = { allowed: true };

export function refusal(
  code: number,
  reason: string,
  message: string,
  details?: NonNullable<ReviewStatus["details"]>,
): ReviewResponse {
  return {
    allowed: false,
    status: { status: "Failure", code, reason, message, ...(details !== undefined && { details }) },
  };
}

/** Several mistakes are one message in brackets, as the aggregates of Go's API machinery write it. */
export function refuseFields(request: ReviewRequest, errors: readonly FieldError[], code?: string): ReviewResponse {
  const texts = [...new Set(errors.map(({ field, message }) => `${field}: ${message}`))];
  const all = texts.length === 1 ? (texts[0] ?? "") : `[${texts.join(", ")}]`;
  const message = code === undefined ? all : `${all} (${code})`;
  const { name } = request;
  return refusal(403, "Forbidden", message, {
    ...(name !== undefined && name !== "" && { name }),
    group: request.kind.group,
    kind: request.kind.kind,
    causes: errors.map(({ field, message: text }) => ({ reason: causeOf(text), field, message: text })),
  });
}

/** Causes of metav1.Status; clients tell mistakes apart by them. */
function causeOf(message: string): string {
  if (message.startsWith("Duplicate value") || message.startsWith("repeats ")) return "FieldValueDuplicate";
  if (message.startsWith("is required") || message === "must not be empty") return "FieldValueRequired";
  if (message.includes("immutable") || message.startsWith("is not allowed")) return "FieldValueForbidden";
  if (message.startsWith("must be one of")) return "FieldValueNotSupported";
  return "FieldValueInvalid";
}

/** An API server cuts warnings at 256 characters, and drops what is not printable. */
const WARNING_CHARS = 256;
const asWarning = (text: string): string =>
  text.length <= WARNING_CHARS ? text : `${text.slice(0, WARNING_CHARS - 1)}…`;

function requestOf(body: unknown): ReviewRequest {
  const review = body as { readonly apiVersion?: unknown; readonly kind?: unknown; readonly request?: unknown } | null;
  if (typeof review !== "object" || review === null || review.kind !== "AdmissionReview") {
    throw new ReviewError("the body is not an AdmissionReview");
  }
  if (review.apiVersion !== REVIEW_API_VERSION) {
    throw new ReviewError(
      `the AdmissionReview is of ${String(review.apiVersion)}; this webhook speaks ${REVIEW_API_VERSION}`,
    );
  }
  const request = review.request as Partial<ReviewRequest> | null | undefined;
  if (typeof request !== "object" || request === null || typeof request.uid !== "string" || request.uid === "") {
    throw new ReviewError("the AdmissionReview has no request with a uid");
  }
  if (request.kind === undefined || request.operation === undefined) {
    throw new ReviewError("the request of the AdmissionReview says neither kind nor operation");
  }
  return request as ReviewRequest;
}
