/** `grove-autoscaler crds`: the CRDs of this version, for `kubectl apply`. */
import type { Command } from "commander";
import { stringify } from "yaml";
import { customResourceDefinitions } from "../api/crds/all.ts";
import { UsageError } from "./errors.ts";
import type { Terminal } from "./terminal.ts";

export function addCrdsCommand(program: Command, terminal: Terminal): void {
  program
    .command("crds")
    .description("print the CustomResourceDefinitions as YAML")
    .option(
      "--group <group>",
      "only those of this API group, e.g. autoscaling.grove.io where Grove is installed already",
    )
    .addHelpText(
      "after",
      `
Examples:
  grove-autoscaler crds | kubectl apply --server-side -f -
  grove-autoscaler crds --group autoscaling.grove.io | kubectl apply --server-side -f -`,
    )
    .action(({ group }: { readonly group?: string }) => {
      const all = customResourceDefinitions();
      const wanted = all.filter(({ spec }) => group === undefined || spec.group === group);
      if (wanted.length === 0) {
        const groups = [...new Set(all.map(({ spec }) => spec.group))].sort();
        throw new UsageError(`--group: there is no API group "${group}"; there are: ${groups.join(", ")}`);
      }
      terminal.print(
        wanted
          .map((crd) => stringify(crd, { lineWidth: 0, aliasDuplicateObjects: false }))
          .join("---\n")
          .trimEnd(),
      );
    });
}
