/**
 * How the machine and its runtimes do: sampled from the kernel at every beat, kept as history (every sample for 48 hours,
 * averages of five minutes for 30 days), and answered with as many points as were asked for.
 */

export { Metrics, type MetricsOptions } from "./metrics.ts";
export { schema } from "./store.ts";
