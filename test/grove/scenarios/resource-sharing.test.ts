import { RESOURCE_SHARING } from "./resource-sharing.ts";
import { runEmbedded } from "./run-embedded.ts";

runEmbedded("resource sharing", RESOURCE_SHARING);
