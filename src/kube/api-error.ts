/** What the API server answers when it refuses, as `metav1.Status` says it. */
export class ApiError extends Error {
  /** HTTP status. */
  readonly code: number;
  /** `NotFound`, `Conflict`, `AlreadyExists`, `Invalid`, `Expired`, … */
  readonly reason: string;
  /** What the server asks the client to wait, when it says so. */
  readonly retryAfterSeconds?: number;
  /** `status.details.causes`, for invalid objects: one entry per field. */
  readonly causes: readonly { readonly field?: string; readonly message?: string; readonly reason?: string }[];

  constructor(
    code: number,
    reason: string,
    message: string,
    options: {
      retryAfterSeconds?: number;
      causes?: readonly { readonly field?: string; readonly message?: string; readonly reason?: string }[];
    } = {},
  ) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.reason = reason;
    this.causes = options.causes ?? [];
    if (options.retryAfterSeconds !== undefined) this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

export const isNotFound = (error: unknown): boolean => error instanceof ApiError && error.code === 404;
export const isConflict = (error: unknown): boolean =>
  error instanceof ApiError && error.code === 409 && error.reason !== "AlreadyExists";
export const isAlreadyExists = (error: unknown): boolean =>
  error instanceof ApiError && error.reason === "AlreadyExists";
/** The resource version is too old to list or watch from: start again with a fresh list. */
export const isGone = (error: unknown): boolean => error instanceof ApiError && error.code === 410;
