/** Cases of the comparison where faults and ablations are tried: a steady one and a bursty one. */
export const CLOSE_LOOK: readonly string[] = ["azure-conversation", "azure-code"];
