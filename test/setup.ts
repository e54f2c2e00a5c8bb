/** Properties draw the same cases in every run, so that a red test is a change of ours; `FC_SEED=$RANDOM` draws others. */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env["FC_SEED"] ?? 20_261_124) });
