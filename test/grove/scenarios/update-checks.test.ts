import { describe, expect, test } from "vitest";
import type { Pod } from "../../../src/api/kubernetes/core.ts";
import type { PodEvent } from "./scenario-world.ts";
import { mostDownAtOnce } from "./update-checks.ts";

const event = (type: PodEvent["type"], hostname: string, uid: string, ready = true): PodEvent => {
  const conditions = [{ type: "Ready", status: ready ? "True" : "False" }] as const;
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: uid, uid },
    spec: { hostname, containers: [] },
    status: { conditions },
  };
  return { type, pod, atMs: 0 };
};
const most = (...events: readonly PodEvent[]): number => mostDownAtOnce(events, ({ spec }) => spec.hostname);

describe("how many are down at once", () => {
  test("one after the other is one", () => {
    expect(
      most(
        event("terminating", "a-0", "old0"),
        event("ready", "a-0", "new0"),
        event("terminating", "a-1", "old1"),
        event("ready", "a-1", "new1"),
      ),
    ).toBe(1);
  });

  test("a second one before the replacement is ready is two", () => {
    expect(
      most(
        event("terminating", "a-0", "old0"),
        event("added", "a-0", "new0", false),
        event("terminating", "a-1", "old1"),
        event("ready", "a-0", "new0"),
      ),
    ).toBe(2);
  });

  test("a pod that ends ready itself does not replace itself", () => {
    expect(
      most(event("terminating", "a-0", "old0"), event("ready", "a-0", "old0"), event("terminating", "a-1", "b")),
    ).toBe(2);
  });

  test("a pod that goes after its replacement is ready is not missed", () => {
    expect(
      most(event("ready", "a-0", "new0"), event("terminating", "a-0", "old0"), event("terminating", "a-1", "b")),
    ).toBe(1);
  });

  test("pods that served nothing are not missed", () => {
    expect(most(event("terminating", "a-0", "x", false), event("terminating", "a-1", "y"))).toBe(1);
  });
});
