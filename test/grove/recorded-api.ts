/** For tests: a KubeApi that notes every write but Events. */
import type { KubeApi } from "../../src/kube/kube-api.ts";

export interface Write {
  readonly verb: string;
  readonly plural: string;
  readonly name: string;
  readonly subresource?: string;
}

export function recordedApi(api: KubeApi, writes: Write[]): KubeApi {
  const note = (verb: string, plural: string, name: string, subresource?: string): void => {
    if (plural !== "events") writes.push({ verb, plural, name, ...(subresource !== undefined && { subresource }) });
  };
  return {
    ...api,
    create(resource, object, options) {
      note("create", resource.plural, object.metadata.name || (object.metadata.generateName ?? ""));
      return api.create(resource, object, options);
    },
    update(resource, object, options) {
      note("update", resource.plural, object.metadata.name, options?.subresource);
      return api.update(resource, object, options);
    },
    patch(resource, key, patch, options) {
      note("patch", resource.plural, key.name, options.subresource);
      return api.patch(resource, key, patch, options);
    },
    deleteCollection(resource, selection, options) {
      note("deletecollection", resource.plural, selection.labelSelector);
      return api.deleteCollection(resource, selection, options);
    },
    delete(resource, key, options) {
      note("delete", resource.plural, key.name);
      return api.delete(resource, key, options);
    },
  };
}
