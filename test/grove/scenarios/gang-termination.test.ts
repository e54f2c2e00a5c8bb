import { GANG_TERMINATION } from "./gang-termination.ts";
import { runEmbedded } from "./run-embedded.ts";

runEmbedded("gang termination", GANG_TERMINATION);
