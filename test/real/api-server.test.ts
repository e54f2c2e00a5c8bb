import { describeApiServer } from "../conformance/api-server.ts";
import { httpTarget } from "../conformance/target.ts";
import { canStartControlPlane, startControlPlane } from "./control-plane/control-plane.ts";

describeApiServer(
  "a real kube-apiserver",
  async () => {
    const { url, caFile, adminToken, stop } = await startControlPlane();
    return httpTarget({ baseUrl: url, caFile, token: adminToken, stop });
  },
  { skip: !canStartControlPlane() },
);
