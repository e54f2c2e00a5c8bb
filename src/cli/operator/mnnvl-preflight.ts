/** Auto-MNNVL needs the ComputeDomain CRD of NVIDIA's DRA driver; upstream's end-to-end test reads these words in the log (grove.md 8.7). */
import { COMPUTE_DOMAINS } from "../../api/nvidia/compute-domain.ts";
import { isNotFound } from "../../kube/api-error.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { Logger } from "../../log.ts";
import { ExitError } from "../errors.ts";
import { EXIT } from "./exit-codes.ts";

/** @throws ExitError */
export async function checkMnnvl(api: KubeApi, log: Logger): Promise<void> {
  try {
    await api.list(COMPUTE_DOMAINS, { limit: 1 });
  } catch (error) {
    const why = isNotFound(error)
      ? `network.autoMNNVLEnabled is true but the ComputeDomain CRD (${COMPUTE_DOMAINS.plural}.${COMPUTE_DOMAINS.group}) is not installed; install NVIDIA's DRA driver, or set it to false`
      : `the ComputeDomain CRD could not be looked up: ${error instanceof Error ? error.message : String(error)}`;
    log.error({ error: why }, "MNNVL preflight check failed");
    throw new ExitError(EXIT.mnnvl, `MNNVL preflight check failed: ${why}`);
  }
}
