/**
 * What this node's owner allows, whoever asks: one decision, before every command from any door and before every container.
 * It is made by rules, those of a built-in profile and those of the owner's own file, and no command changes them.
 */
export { containerAskOf } from "./container-ask.ts";
export type { Asked } from "./decider.ts";
export { deniedFailure } from "./denied.ts";
export { guardOf } from "./guard.ts";
export { checkPolicy, getPolicy, testPolicy } from "./handlers.ts";
export { Policy } from "./policy.ts";
export { policySettings, policySettingsOf } from "./settings.ts";
export { type Counted, totalsOf } from "./totals.ts";
