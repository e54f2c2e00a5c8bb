import { afterEach, beforeEach, expect, test } from "vitest";
import { VirtualClock } from "../../clock.ts";
import { type Logger, silentLogger } from "../../log.ts";
import { followMountedCertificate } from "./mounted-certificate.ts";

let files: Map<string, string>;
let stop: AbortController;
let errors: string[];
let served: string[];
let clock: VirtualClock;
beforeEach(() => {
  files = new Map();
  stop = new AbortController();
  errors = [];
  served = [];
  clock = new VirtualClock();
  const log: Logger = { ...silentLogger, error: ({ error }) => void errors.push(String(error)) };
  void followMountedCertificate({
    folder: "/certs",
    clock,
    signal: stop.signal,
    log,
    async read(path) {
      const text = files.get(path);
      if (text === undefined) throw new Error(`ENOENT: ${path}`);
      return text;
    },
    onCertificate({ certificate, privateKey }) {
      // As TLS does.
      if (privateKey !== `k${certificate}`) throw new Error("key values mismatch");
      served.push(certificate);
    },
  });
});
afterEach(() => stop.abort(new Error("over")));

const put = (certificate: string, privateKey: string): void => {
  files.set("/certs/tls.crt", certificate);
  files.set("/certs/tls.key", privateKey);
};

test("waits for the files, says once that they are missing, and takes each pair that differs", async () => {
  await clock.advance(30_000);
  expect(errors).toEqual(["ENOENT: /certs/tls.crt"]);
  put("a", "ka");
  await clock.advance(1_000);
  expect(served).toEqual(["a"]);
  await clock.advance(60_000);
  put("b", "kb");
  await clock.advance(10_000);
  expect(served).toEqual(["a", "b"]);
  expect(errors).toHaveLength(1);
});

test("a pair that does not go together leaves the former one in place", async () => {
  put("a", "ka");
  await clock.advance(1_000);
  // The first look was before there was anything.
  expect(errors.splice(0)).toEqual(["ENOENT: /certs/tls.crt"]);
  // Between the writes of the two files.
  put("b", "ka");
  await clock.advance(30_000);
  expect(errors).toEqual(["key values mismatch"]);
  put("b", "kb");
  await clock.advance(10_000);
  expect(served).toEqual(["a", "b"]);
  // The same mistake after a good time is told again.
  put("c", "kb");
  await clock.advance(10_000);
  expect(errors).toHaveLength(2);
});
