import { COMPUTE_DOMAIN_DEFINITION } from "../fixtures/compute-domain-crd.ts";
import { MNNVL_ENABLED, mnnvlDisabled } from "./mnnvl.ts";
import { runEmbedded } from "./run-embedded.ts";
import { MNNVL_SETTINGS } from "./settings.ts";

const definitions = [COMPUTE_DOMAIN_DEFINITION];

runEmbedded("MNNVL, on", MNNVL_ENABLED, { settings: MNNVL_SETTINGS, definitions });
runEmbedded("MNNVL, off", mnnvlDisabled("Supported"), { definitions });
runEmbedded("MNNVL, off and not installed", mnnvlDisabled("Unsupported"));
