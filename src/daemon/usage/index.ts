/**
 * What runtimes use: measured by the kernel's own figures, or the engine's.
 */

export { Stats } from "./stats.ts";
export type { Measured } from "./usage.ts";
