/** What the process does. */
import { operatorKind, text, whole } from "../parse.ts";
import { setting } from "../setting.ts";

export const WORK = {
  operator: setting<"built-in" | "external">({
    file: "operator.kind",
    flag: "--operator <who>",
    env: "GROVE_AUTOSCALER_OPERATOR",
    about: "built-in, or external: another operator looks after the grove.io kinds, we only write /scale",
    fallback: "built-in",
    parse: operatorKind,
  }),
  operatorConfig: setting<string | undefined>({
    file: "operator.configFile",
    flag: "--operator-config <file>",
    env: "GROVE_AUTOSCALER_OPERATOR_CONFIG",
    about: "an OperatorConfiguration: scheduler profiles, topology and MNNVL of the built-in operator",
    fallback: undefined,
    parse: text,
  }),
  initContainerImage: setting<string | undefined>({
    file: "operator.initContainerImage",
    flag: "--init-container-image <image>",
    env: "GROVE_INIT_CONTAINER_IMAGE",
    about: "image that waits for parent cliques; sets with a start-up order need it",
    fallback: undefined,
    parse: text,
  }),
  workers: setting({
    file: "autoscaler.workers",
    flag: "--workers <number>",
    env: "GROVE_AUTOSCALER_WORKERS",
    about: "policies that are evaluated at the same time",
    fallback: 8,
    parse: whole({ min: 1, max: 1_000 }),
  }),
} as const;
