/**
 * Whether programs work, and not merely run: checks on a schedule, and what their results mean.
 */

export { Checks, type Run } from "./checks.ts";
export { checkOf, type Judged, wrongHealth } from "./health.ts";
