import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { VirtualClock } from "../../clock.ts";
import { type Logger, silentLogger } from "../../log.ts";
import { followMountedCertificate } from "./mounted-certificate.ts";

let folder: string;
let stop: AbortController;
let errors: string[];
let served: string[];
let clock: VirtualClock;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "grove-mounted-"));
  stop = new AbortController();
  errors = [];
  served = [];
  clock = new VirtualClock();
});
afterEach(() => {
  stop.abort(new Error("over"));
  rmSync(folder, { recursive: true, force: true });
});

const put = (certificate: string, privateKey: string): void => {
  writeFileSync(join(folder, "tls.crt"), certificate);
  writeFileSync(join(folder, "tls.key"), privateKey);
};

function follow(): void {
  const log: Logger = { ...silentLogger, error: ({ error }) => void errors.push(String(error)) };
  void followMountedCertificate({
    folder,
    clock,
    signal: stop.signal,
    log,
    onCertificate({ certificate, privateKey }) {
      if (privateKey === "wrong") throw new Error("key values mismatch");
      served.push(certificate);
    },
  });
}

/** Files are read in real time; the waits between are virtual. */
async function until(holds: () => boolean): Promise<void> {
  await vi.waitFor(async () => {
    await clock.advance(10_000);
    expect(holds()).toBe(true);
  });
}

test("waits for the files, says once that they are missing, and takes each pair that differs", async () => {
  follow();
  await until(() => errors.length === 1);
  put("a", "ka");
  await until(() => served.length === 1);
  put("b", "kb");
  await until(() => served.length === 2);
  expect(served).toEqual(["a", "b"]);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(/ENOENT/);
});

test("a pair that does not go together leaves the former one in place", async () => {
  put("a", "ka");
  follow();
  await until(() => served.length === 1);
  put("b", "wrong");
  await until(() => errors.length === 1);
  put("c", "kc");
  await until(() => served.length === 2);
  expect(errors).toEqual(["key values mismatch"]);
  expect(served).toEqual(["a", "c"]);
});
