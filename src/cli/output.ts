/** `-o`: tables for people, JSON and YAML for programs. */
import { type Command, Option } from "commander";
import { stringify } from "yaml";
import type { KubeObject } from "../api/kubernetes/meta.ts";
import type { Terminal } from "./terminal.ts";

export type OutputFormat = "table" | "json" | "yaml";

export interface OutputFlags {
  readonly output: OutputFormat;
}

export function withOutputFlag(command: Command, human = "table"): Command {
  return command.addOption(
    new Option("-o, --output <format>", "output format").choices([human, "json", "yaml"]).default(human),
  );
}

export const isForPrograms = (output: string): output is "json" | "yaml" => output === "json" || output === "yaml";

export function printValue(terminal: Terminal, output: "json" | "yaml", value: unknown): void {
  terminal.print(
    output === "json"
      ? JSON.stringify(value, undefined, 2)
      : stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd(),
  );
}

/** As `kubectl get` prints them: one object when one was asked for, else a List; without `managedFields`. */
export function printObjects(
  terminal: Terminal,
  output: "json" | "yaml",
  objects: readonly KubeObject[],
  isOne: boolean,
): void {
  const items = objects.map(withoutManagedFields);
  printValue(terminal, output, isOne ? items[0] : { apiVersion: "v1", kind: "List", metadata: {}, items });
}

export function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}
