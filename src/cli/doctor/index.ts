/**
 * What the doctor knows: facts about a machine and its programs, each looked up by itself and within its time, and what they
 * mean. Looking and judging are apart: a judgement is a pure function of the facts.
 */
export { answerOf } from "./answer.ts";
export { askEngine, hostOfEngine } from "./engine.ts";
export type { Tried } from "./facts.ts";
export type { Finding } from "./finding.ts";
export { type Doors, gather } from "./gather.ts";
export { judge } from "./judge.ts";
export { withSystemPath } from "./network.ts";
export { environmentOf, processes, startedAs } from "./processes.ts";
