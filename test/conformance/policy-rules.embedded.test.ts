import { wallClock } from "../../src/clock.ts";
import { systemRandom } from "../../src/random.ts";
import { createApiServer } from "../../src/sim/api-server/api-server.ts";
import { describePolicyRules } from "./policy-rules.ts";
import { httpTarget } from "./target.ts";

describePolicyRules("the embedded API server", async () => {
  const server = createApiServer({ clock: wallClock(), random: systemRandom() });
  const { url } = await server.listen();
  return httpTarget({ baseUrl: url, stop: () => server.stop() });
});
