import { runEmbedded } from "./run-embedded.ts";
import { STARTUP_ORDER } from "./startup-order.ts";

runEmbedded("start-up order", STARTUP_ORDER);
