import { CASCADE } from "./cascade.ts";
import { GANG_SCHEDULING } from "./gang-scheduling.ts";
import { runEmbedded } from "./run-embedded.ts";

runEmbedded("gang scheduling", GANG_SCHEDULING);
runEmbedded("cascading deletion", CASCADE);
