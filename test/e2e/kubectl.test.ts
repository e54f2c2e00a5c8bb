/** The embedded server as a person at a terminal meets it: through a real kubectl. */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wallClock } from "../../src/clock.ts";
import { systemRandom } from "../../src/random.ts";
import { type ApiServer, createApiServer } from "../../src/sim/api-server/api-server.ts";
import { kubeconfigFor } from "../../src/sim/api-server/kubeconfig.ts";
import { WIDGET_CRD, WIDGET_GROUP } from "../conformance/widget-crd.ts";

const hasKubectl = (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, "kubectl")));
if (!hasKubectl) process.stderr.write("skipped: no kubectl in PATH: https://kubernetes.io/docs/tasks/tools/\n");

describe.skipIf(!hasKubectl)("kubectl on the embedded API server", () => {
  let server: ApiServer;
  let folder: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    server = createApiServer({
      clock: wallClock(),
      random: systemRandom(),
      podLog: ({ name }) => `hello from ${name}\n`,
    });
    const { url } = await server.listen();
    folder = await mkdtemp(join(tmpdir(), "grove-kubectl-"));
    env = { ...process.env, KUBECONFIG: join(folder, "kubeconfig"), KUBECACHEDIR: join(folder, "cache"), HOME: folder };
    await writeFile(join(folder, "kubeconfig"), kubeconfigFor({ url }));
    await writeFile(join(folder, "crd.json"), JSON.stringify(WIDGET_CRD));
    await kubectl("apply", "-f", join(folder, "crd.json"));
    await kubectl("wait", "--for=condition=Established", `crd/widgets.${WIDGET_GROUP}`);
  });
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const kubectl = (...args: string[]): Promise<string> =>
    new Promise((resolve, reject) => {
      execFile("kubectl", args, { env, timeout: 30_000 }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`kubectl ${args.join(" ")}: ${stderr}${stdout}`));
      });
    });
  const file = async (name: string, content: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  };
  const widget = (name: string, spec: string): Promise<string> =>
    file(`${name}.yaml`, `apiVersion: ${WIDGET_GROUP}/v1\nkind: Widget\nmetadata: {name: ${name}}\nspec: ${spec}\n`);

  test("apply creates, leaves alone, changes", async () => {
    const path = await widget("applied", "{model: m, replicas: 2}");
    expect(await kubectl("apply", "-f", path)).toContain("created");
    expect(await kubectl("apply", "-f", path)).toContain("unchanged");
    await widget("applied", "{model: m, replicas: 3}");
    expect(await kubectl("diff", "-f", path).catch((error: Error) => error.message)).toContain("+  replicas: 3");
    expect(await kubectl("apply", "-f", path)).toContain("configured");
    expect(await kubectl("get", "wd", "applied", "-o", "jsonpath={.spec.replicas}")).toBe("3");
  });

  test("apply refuses what the schema does not know", async () => {
    const path = await widget("wrong", "{model: m, junk: 1}");
    await expect(kubectl("apply", "-f", path)).rejects.toThrow('unknown field "spec.junk"');
  });

  test("server-side apply meets the owner of a scaled field", async () => {
    const path = await widget("owned", "{model: m, replicas: 2}");
    await kubectl("apply", "--server-side", "-f", path);
    await kubectl("scale", "wd/owned", "--replicas=5");
    await expect(kubectl("apply", "--server-side", "-f", path)).rejects.toThrow("conflict");
    expect(await kubectl("apply", "--server-side", "--force-conflicts", "-f", path)).toContain("serverside-applied");
    expect(await kubectl("get", "wd", "owned", "-o", "jsonpath={.spec.replicas}")).toBe("2");
  });

  test("get prints columns, explain and describe tell the rest", async () => {
    await kubectl("apply", "-f", await widget("shown", "{model: m, replicas: 4}"));
    expect(await kubectl("get", "wd", "shown")).toMatch(/NAME +REPLICAS +READY +AGE\nshown +4 +\d+s/);
    expect(await kubectl("get", "widgets", "shown", "-o", "wide")).toMatch(/PARTS +TEAM/);
    expect(await kubectl("explain", "widgets.spec.replicas")).toContain("FIELD: replicas <integer>");
    expect(await kubectl("explain", "pod.spec.schedulingGates")).toContain("PodSchedulingGate");
    expect(await kubectl("describe", "wd", "shown")).toMatch(/Kind: +Widget[\s\S]*Replicas: +4/);
  });

  test("edit, label, annotate and patch change it", async () => {
    await kubectl("apply", "-f", await widget("edited", "{model: m, replicas: 1}"));
    const editor = await file("editor.sh", '#!/bin/sh\nsed -i.bak "s/replicas: 1/replicas: 7/" "$1"\n');
    await chmod(editor, 0o755);
    env["KUBE_EDITOR"] = editor;
    expect(await kubectl("edit", "wd", "edited")).toContain("edited");
    await kubectl("label", "wd", "edited", "team=x");
    await kubectl("annotate", "wd", "edited", "note=y");
    await kubectl("patch", "wd", "edited", "--type=merge", "-p", '{"spec":{"size":"M"}}');
    const paths = "{.spec.replicas} {.metadata.labels.team} {.metadata.annotations.note} {.spec.size}";
    expect(await kubectl("get", "wd", "edited", "-o", `jsonpath=${paths}`)).toBe("7 x y M");
  });

  test("pods are run, read and deleted", async () => {
    await kubectl("run", "p", "--image=busybox:1");
    expect(await kubectl("get", "pods")).toMatch(/p +0\/1 +Pending +0 +\d+s/);
    expect(await kubectl("logs", "p")).toBe("hello from p\n");
    expect(await kubectl("describe", "pod", "p")).toMatch(/Status: +Pending/);
    expect(await kubectl("delete", "pod", "p")).toContain("deleted");
    await expect(kubectl("get", "pod", "p")).rejects.toThrow("NotFound");
  });

  test("get -w follows changes", async () => {
    await kubectl("apply", "-f", await widget("watched", "{model: m, replicas: 1}"));
    const child = spawn("kubectl", ["get", "wd", "watched", "-w", "--no-headers"], { env });
    const seen = new Promise<string>((resolve, reject) => {
      let text = "";
      child.stdout.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if (/watched +1[^\n]*\nwatched +9/.test(text)) resolve(text);
        else if (/watched +1/.test(text)) kubectl("scale", "wd/watched", "--replicas=9").catch(reject);
      });
      child.once("exit", () => reject(new Error(`kubectl ended: ${text}`)));
    });
    expect(await seen).toMatch(/watched +9/);
    child.kill();
  });

  test("a namespace comes and goes; a client learns who it is", async () => {
    await kubectl("create", "namespace", "n");
    await kubectl("create", "configmap", "c", "-n", "n", "--from-literal=a=b");
    await kubectl("create", "secret", "generic", "s", "-n", "n", "--from-literal=a=b");
    expect(await kubectl("delete", "namespace", "n")).toContain("deleted");
    expect(await kubectl("auth", "whoami")).toContain("kubernetes-admin");
    expect(await kubectl("auth", "can-i", "create", "pods")).toContain("yes");
    expect((await kubectl("create", "token", "default")).trim().split(".")).toHaveLength(3);
    expect(await kubectl("api-resources")).toMatch(/widgets +wd +widgets.example.com\/v1 +true +Widget/);
  });
});
