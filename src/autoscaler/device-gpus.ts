/**
 * GPUs of a resource claim (DRA, KEP-4381), by the classes of the devices that it asks for. A class that is not known may be a slice of a GPU or
 * something else altogether, so it makes the number unknown. Pure.
 */

/** Classes of whole GPUs, of the vendors' DRA drivers. */
const GPU_CLASSES: ReadonlySet<string> = new Set([
  "gpu.nvidia.com",
  "vfio.gpu.nvidia.com",
  "gpu.amd.com",
  "gpu.intel.com",
]);
/** Channels of NVIDIA's ComputeDomains (multi-node NVLink): they come with GPUs and are none. */
const NO_GPU_CLASSES: ReadonlySet<string> = new Set([
  "compute-domain-daemon.nvidia.com",
  "compute-domain-default-channel.nvidia.com",
]);

/** `spec.devices` of a ResourceClaim, as far as it says how many: resource.k8s.io/v1, and the flat form of v1beta1. */
interface DeviceRequest {
  readonly deviceClassName?: string;
  readonly allocationMode?: string;
  readonly count?: number;
  readonly adminAccess?: boolean;
  readonly exactly?: DeviceRequest;
  readonly firstAvailable?: readonly DeviceRequest[];
}

/** @param spec of a ResourceClaim or of a claim template. @returns undefined: how many GPUs it takes cannot be told */
export function gpusOfClaim(spec: {
  readonly devices?: { readonly requests?: readonly unknown[] };
}): number | undefined {
  return sumOf((spec.devices?.requests ?? []) as readonly DeviceRequest[], gpusOfRequest);
}

function gpusOfRequest(request: DeviceRequest): number | undefined {
  if (request.exactly !== undefined) return gpusOfRequest(request.exactly);
  const { firstAvailable } = request;
  if (firstAvailable !== undefined) {
    const each = firstAvailable.map(gpusOfRequest);
    return each.includes(undefined) ? undefined : Math.max(0, ...(each as readonly number[]));
  }
  const { deviceClassName = "", allocationMode = "ExactCount", count = 1, adminAccess } = request;
  // To watch devices that others hold takes none.
  if (adminAccess === true || NO_GPU_CLASSES.has(deviceClassName)) return 0;
  return GPU_CLASSES.has(deviceClassName) && allocationMode === "ExactCount" ? count : undefined;
}

export function sumOf<T>(all: readonly T[], gpusOf: (one: T) => number | undefined): number | undefined {
  let sum = 0;
  for (const one of all) {
    const gpus = gpusOf(one);
    if (gpus === undefined) return undefined;
    sum += gpus;
  }
  return sum;
}
