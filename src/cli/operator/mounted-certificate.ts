/** certProvisionMode manual: `tls.crt` and `tls.key` of a folder that somebody else fills and renews. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import type { CertifiedKey } from "../../grove/certificates/x509.ts";
import type { Logger } from "../../log.ts";

export interface MountedCertificateOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** With the first one and with each that differs; throws when the two do not go together. */
  readonly onCertificate: (certificate: CertifiedKey) => void;
}

/** Before the first certificate: somebody waits. */
const WAIT_MS = 1_000;
/** The kubelet renews mounted Secrets about once a minute. */
const LOOK_MS = 10_000;

/** Looks until the signal. Files that cannot be used are told once, and what was served before goes on being served. */
export async function followMountedCertificate(options: MountedCertificateOptions): Promise<void> {
  const { folder, clock, signal, log, onCertificate } = options;
  let served: string | undefined;
  let told: string | undefined;
  while (!signal.aborted) {
    try {
      const [certificate, privateKey] = await Promise.all(
        ["tls.crt", "tls.key"].map((name) => readFile(join(folder, name), "utf8")),
      );
      const both = `${certificate}${privateKey}`;
      if (certificate !== undefined && privateKey !== undefined && both !== served) {
        onCertificate({ certificate, privateKey });
        log.info(
          { folder },
          served === undefined ? "serving the mounted certificate" : "the mounted certificate changed",
        );
        served = both;
      }
      told = undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (why !== told)
        log.error(
          { folder, error: why },
          "the mounted webhook certificate cannot be used; put tls.crt and tls.key there",
        );
      told = why;
    }
    await clock.sleep(served === undefined ? WAIT_MS : LOOK_MS, signal).catch(() => undefined);
  }
}
