import { expect, test } from "vitest";
import { gpusOfClaim } from "./device-gpus.ts";

const claim = (...requests: readonly object[]) => gpusOfClaim({ devices: { requests } });
const exactly = (deviceClassName: string, more: object = {}) => ({ name: "r", exactly: { deviceClassName, ...more } });

test.each<[string, number | undefined, readonly object[]]>([
  ["one GPU, where no count is given", 1, [exactly("gpu.nvidia.com")]],
  ["as many as are counted", 4, [exactly("gpu.nvidia.com", { count: 4 })]],
  ["requests add up", 3, [exactly("gpu.amd.com", { count: 2 }), exactly("gpu.intel.com")]],
  ["the flat form of v1beta1", 2, [{ name: "r", deviceClassName: "gpu.nvidia.com", count: 2 }]],
  [
    "the most that an alternative takes",
    8,
    [
      {
        name: "r",
        firstAvailable: [
          { deviceClassName: "gpu.nvidia.com", count: 8 },
          { deviceClassName: "gpu.amd.com", count: 4 },
        ],
      },
    ],
  ],
  ["an NVLink channel is no GPU", 0, [exactly("compute-domain-default-channel.nvidia.com")]],
  ["who only watches takes none", 0, [exactly("gpu.nvidia.com", { adminAccess: true })]],
  ["no request, no GPU", 0, []],
  ["a slice is unknown", undefined, [exactly("mig.nvidia.com")]],
  ["all of a node is unknown", undefined, [exactly("gpu.nvidia.com", { allocationMode: "All" })]],
  [
    "an unknown alternative is unknown",
    undefined,
    [{ name: "r", firstAvailable: [{ deviceClassName: "gpu.nvidia.com" }, { deviceClassName: "tpu" }] }],
  ],
  ["an unknown class is unknown, whatever else is asked for", undefined, [exactly("gpu.nvidia.com"), exactly("fpga")]],
])("%s", (_, wanted, requests) => {
  expect(claim(...requests)).toBe(wanted);
});
