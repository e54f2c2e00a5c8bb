import { memoryCheckpoints, statusCheckpoints } from "../../src/jobs/checkpoint-store.ts";
import { inProcessQueue } from "../../src/jobs/evaluation-queue.ts";
import { describeCheckpointStore } from "./checkpoint-store.ts";
import { describeEvaluationQueue } from "./evaluation-queue.ts";

describeEvaluationQueue("in process", async () => inProcessQueue());
describeCheckpointStore("status", statusCheckpoints);
const memory = memoryCheckpoints();
describeCheckpointStore("memory", () => memory);
