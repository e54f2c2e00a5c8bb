import { runEmbedded } from "./run-embedded.ts";
import { TOPOLOGY_ADMISSION, TOPOLOGY_BINDINGS, TOPOLOGY_CEL } from "./topology-bindings.ts";
import { TOPOLOGY_PLACEMENT } from "./topology-placement.ts";

runEmbedded("topology: placement", TOPOLOGY_PLACEMENT);
runEmbedded("topology: bindings", TOPOLOGY_BINDINGS);
runEmbedded("topology: admission", [...TOPOLOGY_ADMISSION, ...TOPOLOGY_CEL]);
