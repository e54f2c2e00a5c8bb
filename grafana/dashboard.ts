/** The dashboard as code; `npm run grafana` writes the JSON that Grafana imports. */
import { LineInterpolation } from "@grafana/grafana-foundation-sdk/common";
import {
  type Dashboard,
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { type PanelSpec, ROWS } from "./panels.ts";

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own syntax
const SOURCE = { type: "prometheus", uid: "${datasource}" } as const;
const PANEL_HEIGHT = 8;

function dashboard(): Dashboard {
  const builder = new DashboardBuilder("Grove autoscaler")
    .uid("grove-autoscaler")
    .description("Load, replicas per level, decisions and their reasons, ratios, GPUs, and the health of the service")
    .tags(["grove", "inference", "autoscaling"])
    .refresh("10s")
    .time({ from: "now-1h", to: "now" })
    .timezone("browser")
    .withVariable(new DatasourceVariableBuilder("datasource").label("Prometheus").type("prometheus"))
    .withVariable(labelValues("policy", "Policy", "label_values(grove_autoscaler_desired_replicas, policy)"))
    .withVariable(
      labelValues(
        "namespace",
        "Namespace",
        'label_values({__name__=~"vllm:num_requests_running|sglang:num_running_reqs|trtllm_num_requests_waiting"}, namespace)',
      ),
    );
  for (const { title, panels } of ROWS) {
    builder.withRow(new RowBuilder(title));
    for (const spec of panels) builder.withPanel(panel(spec));
  }
  return builder.build();
}

function labelValues(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(SOURCE)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue(".*");
}

function panel({ title, unit, about, queries, span, max, isCount }: PanelSpec): PanelBuilder {
  const builder = new PanelBuilder()
    .title(title)
    .description(about)
    .unit(unit)
    .min(0)
    .datasource(SOURCE)
    .height(PANEL_HEIGHT)
    .span(span)
    .fillOpacity(5)
    .lineInterpolation(isCount === true ? LineInterpolation.StepAfter : LineInterpolation.Linear);
  if (max !== undefined) builder.max(max);
  if (isCount === true) builder.decimals(0);
  queries.forEach(({ expr, legend }, index) => {
    const refId = String.fromCharCode("A".charCodeAt(0) + index);
    builder.withTarget(new DataqueryBuilder().refId(refId).expr(expr).legendFormat(legend).datasource(SOURCE));
  });
  return builder;
}

/** The text of `grafana/grove-autoscaler.json`. */
export const dashboardText = (): string => `${JSON.stringify(dashboard(), null, 2)}\n`;
