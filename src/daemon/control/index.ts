/**
 * The line to the hub: one stream that the node dials and keeps. Commands come in and are given to `work`; results and
 * events go out of the journal until the hub has them on its disk; beats, status and progress are sent as they are now. A
 * line that is lost cancels nothing.
 */

export { type Dial, dialBy } from "./dial.ts";
export { lineFacts } from "./facts.ts";
export { Line } from "./line.ts";
export { profiles } from "./profile.ts";
export { lineSettings, proxyNamesOf } from "./settings.ts";
export { travelOf } from "./state.ts";
export { schema } from "./store.ts";
