/** An API server with nothing behind it: no operator, no autoscaler, only what a test puts there. */
import { customResourceDefinitions } from "../../src/api/crds/all.ts";
import { VirtualClock } from "../../src/clock.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import { seededRandom } from "../../src/random.ts";
import { type ApiServerOptions, createApiServer } from "../../src/sim/api-server/api-server.ts";
import { type CliOptions, type CliResult, runCli, type Scratch, scratch } from "./cli.ts";

export interface BareCluster {
  /** As an administrator. */
  readonly api: KubeApi;
  readonly clock: VirtualClock;
  readonly url: string;
  readonly scratch: Scratch;
  /** As the user (alice), whom `authorize` is asked about, in the namespace `default`. */
  run(args: readonly string[], options?: CliOptions): Promise<CliResult>;
  stop(): Promise<void>;
}

export async function startBareCluster(
  options: Partial<ApiServerOptions> = {},
  { crds = customResourceDefinitions(), user = "alice" } = {},
): Promise<BareCluster> {
  const clock = new VirtualClock();
  const { authorize } = options;
  const server = createApiServer({
    random: seededRandom(1),
    ...options,
    clock,
    ...(authorize === undefined
      ? {}
      : { authorize: (who, ...rest) => who.username !== user || authorize(who, ...rest) }),
  });
  await server.installCustomResources(crds);
  const { url } = await server.listen({ tokens: [{ token: "t-alice", user }] });
  const files = scratch();
  const kubeconfig = files.kubeconfig({ url, token: "t-alice" });
  return {
    api: server.api,
    clock,
    url,
    scratch: files,
    run: (args, more = {}) => runCli(args, { kubeconfig, ...more }),
    async stop() {
      await server.stop();
      files.remove();
    },
  };
}
