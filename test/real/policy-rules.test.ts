import { describePolicyRules } from "../conformance/policy-rules.ts";
import { httpTarget } from "../conformance/target.ts";
import { canStartControlPlane, startControlPlane } from "./control-plane/control-plane.ts";

describePolicyRules(
  "a real kube-apiserver",
  async () => {
    const { url, caFile, adminToken, stop } = await startControlPlane({ controllerManager: false });
    return httpTarget({ baseUrl: url, caFile, token: adminToken, stop });
  },
  { skip: !canStartControlPlane() },
);
