/** `npm run grafana` writes the dashboard's JSON. */
import { writeFileSync } from "node:fs";
import { dashboardText } from "./dashboard.ts";

writeFileSync(new URL("grove-autoscaler.json", import.meta.url), dashboardText());
