/** The live view of the demo as text. Pure. */
import type { Decision } from "../../decide/decision.ts";
import { wrap } from "../text.ts";

export interface DemoView {
  readonly elapsedSeconds: number;
  readonly speed: number;
  readonly requestsPerSecond: number | undefined;
  readonly inFlight: number;
  readonly kvCacheRatio: number | undefined;
  readonly waitingRequests: number | undefined;
  readonly gpuUtilizationRatio: number | undefined;
  readonly sloAttainmentRatio: number | undefined;
  readonly gpusAllocated: number;
  readonly decision: Decision | undefined;
  /** Past decisions that changed something, newest last. */
  readonly history: readonly { readonly elapsedSeconds: number; readonly message: string }[];
  readonly kubeconfig: string;
}

const BOLD = "\x1b[1m";
const DIM = "\x1b[2m";
const RESET = "\x1b[0m";
const BAR_CELLS = 24;

export function renderView(view: DemoView, columns: number): string {
  const { decision } = view;
  const lines = [
    `${BOLD}grove-autoscaler demo${RESET}   ${clockText(view.elapsedSeconds)} of embedded time, ${view.speed}× real time`,
    `${DIM}export KUBECONFIG=${view.kubeconfig}${RESET}`,
    "",
    `  load      ${number(view.requestsPerSecond, 1)} requests/s, ${view.inFlight} in flight`,
    `  KV cache  ${bar(view.kvCacheRatio)}   decode`,
    `  queue     ${number(view.waitingRequests, 0)} waiting`,
    `  GPU util  ${bar(view.gpuUtilizationRatio)}   prefill`,
    `  SLO       ${view.sloAttainmentRatio === undefined ? "–" : `${(view.sloAttainmentRatio * 100).toFixed(1)} % of requests within TTFT 1 s and ITL 50 ms`}`,
    "",
    `  ${BOLD}${pad("target", 12)}${pad("level", 24)}${padLeft("current", 8)}${padLeft("ready", 7)}${padLeft("start", 7)}${padLeft("pending", 9)}${padLeft("desired", 9)}${padLeft("demand", 9)}${RESET}`,
    ...(decision?.targets ?? []).map(
      (target) =>
        `  ${pad(target.name, 12)}${pad(target.level, 24)}${padLeft(String(target.current), 8)}${padLeft(String(target.ready), 7)}${padLeft(String(target.starting), 7)}${padLeft(String(target.pending), 9)}${padLeft(arrow(target.current, target.desired), 9)}${padLeft(number(target.demand?.replicas, 2), 9)}`,
    ),
    "",
    ...(decision?.ratios ?? []).map(
      ({ name, ready, min, max, desiredWithinBand }) =>
        `  ratio ${name}: ready ${ready}, band ${min ?? "–"} … ${max ?? "–"}${desiredWithinBand ? "" : "  OUT OF BAND"}`,
    ),
    `  GPUs  ${view.gpusAllocated} allocated, ${decision?.budget.gpusRequested ?? 0} wanted${decision?.budget.gpusMax === undefined ? "" : ` of ${decision.budget.gpusMax}`}`,
    "",
    `  ${BOLD}last decision${RESET} ${decision === undefined ? "none yet" : `#${decision.id} ${decision.outcome} (${decision.reason})`}`,
    ...wrap(decision?.message ?? "waiting for the first metrics", columns - 4).map((line) => `    ${line}`),
    "",
    ...view.history.slice(-6).flatMap(({ elapsedSeconds, message }) =>
      wrap(`${clockText(elapsedSeconds)}  ${message}`, columns - 4)
        .slice(0, 2)
        .map((line) => `  ${DIM}${line}${RESET}`),
    ),
    "",
    `${DIM}Ctrl-C ends the demo.${RESET}`,
  ];
  return lines.join("\n");
}

/** One line, for a terminal that is none. */
export function renderLine({ elapsedSeconds, requestsPerSecond, gpusAllocated, decision }: DemoView): string {
  const targets = (decision?.targets ?? [])
    .map(({ name, current, ready, desired }) => `${name} ${ready}/${arrow(current, desired)}`)
    .join("  ");
  return `${clockText(elapsedSeconds)}  ${number(requestsPerSecond, 1)} rps  ${gpusAllocated} GPUs  ${targets}  ${decision?.reason ?? ""}`;
}

const arrow = (from: number, to: number): string => (from === to ? String(from) : `${from}→${to}`);
const pad = (text: string, width: number): string => text.padEnd(width);
const padLeft = (text: string, width: number): string => text.padStart(width);
const number = (value: number | undefined, digits: number): string =>
  value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits);

function clockText(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}

function bar(ratio: number | undefined): string {
  if (ratio === undefined || !Number.isFinite(ratio)) return `${"·".repeat(BAR_CELLS)}    –`;
  const full = Math.round(Math.min(1, Math.max(0, ratio)) * BAR_CELLS);
  return `${"█".repeat(full)}${"·".repeat(BAR_CELLS - full)} ${(ratio * 100).toFixed(0).padStart(3)} %`;
}
