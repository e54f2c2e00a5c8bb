/** The ComputeDomains of a set, from the cache only. */
import type { ComputeDomain } from "../../api/nvidia/compute-domain.ts";
import type { Store } from "../runtime/store.ts";
import { BY_SET } from "../runtime/stores.ts";
import type { DomainView } from "./compute-domains.ts";

export const observeDomains = (setKey: string, store: Store<ComputeDomain>): DomainView => ({
  domains: store.byIndex(BY_SET, setKey),
  isKnown: store.hasSynced(),
  failure: store.failure(),
});
