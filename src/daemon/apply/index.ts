/**
 * Wishes by the file: runtimes and agents that a node should have, said at once. All are looked at before anything is done to any;
 * then each room makes its own what they say.
 */
export { applyWishes, planWishes } from "./handlers.ts";
export { applySchema, Past } from "./past.ts";
