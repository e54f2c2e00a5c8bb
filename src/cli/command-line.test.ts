import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { commandLine } from "./command-line.ts";

describe("the command line", () => {
  test("is words again to a shell, whatever is in them", () => {
    const args = [
      "simulate",
      "--require",
      "attainment>=0.95",
      "--policy",
      "a b/it's.yaml",
      "",
      "$HOME",
      '"',
      "*",
      "a=b",
    ];
    const line = commandLine(args).replace("grove-autoscaler", "printf '%s\\0'");
    expect(execFileSync("sh", ["-c", line], { encoding: "utf8" }).split("\0").slice(0, -1)).toEqual(args);
  });

  test("has quotes only where they are needed", () => {
    expect(commandLine(["simulate", "--against", "static:4,2", "--require", "gpuHours<1"])).toBe(
      "grove-autoscaler simulate --against static:4,2 --require 'gpuHours<1'",
    );
  });

  test("keeps to itself what a report may not tell", () => {
    expect(
      commandLine([
        "simulate",
        "--prometheus",
        "https://me:secret@host/x",
        "--prometheus-header",
        "X-Scope-OrgID=secret,Authorization=Basic secret==",
        "--prometheus-header=A=secret",
      ]),
    ).toBe(
      "grove-autoscaler simulate --prometheus https://HIDDEN@host/x --prometheus-header X-Scope-OrgID=HIDDEN,Authorization=HIDDEN --prometheus-header=A=HIDDEN",
    );
  });
});
