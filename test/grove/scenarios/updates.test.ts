import { ON_DELETE } from "./on-delete.ts";
import { ROLLING_UPDATES } from "./rolling-updates.ts";
import { runEmbedded } from "./run-embedded.ts";

runEmbedded("rolling updates", ROLLING_UPDATES);
runEmbedded("updates on delete", ON_DELETE);
