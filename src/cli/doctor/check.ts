/** One thing that `doctor` looked at. */
import { ApiError } from "../../kube/api-error.ts";
import { describeRefusal } from "../cluster.ts";

export interface Check {
  readonly check: string;
  /** `skipped`: nothing was asked, or nothing could be. */
  readonly status: "ok" | "warning" | "failed" | "skipped";
  readonly message: string;
  readonly wayOut?: string;
}

export const ok = (check: string, message: string): Check => ({ check, status: "ok", message });
export const warning = (check: string, message: string, wayOut: string): Check => ({
  check,
  status: "warning",
  message,
  wayOut,
});
export const failed = (check: string, message: string, wayOut: string): Check => ({
  check,
  status: "failed",
  message,
  wayOut,
});
export const skipped = (check: string, message: string): Check => ({ check, status: "skipped", message });

/** What the cluster does not let us see is not known to be wrong. */
export async function unlessRefused(check: string, look: () => Promise<readonly Check[]>): Promise<readonly Check[]> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return [warning(check, `cannot be looked at: ${describeRefusal(error)}`, "run doctor as a user who may read it")];
  }
}
