/**
 * The audit trail of this node: who asked for what, what was decided, what came of it, and what secrets were used for. Only
 * ever added to, each entry bound to the one before by its hash. Nothing of it is dropped: when the disk does not take an
 * entry, what it is about is not done.
 */
export { Audit } from "./audit.ts";
export { entryOfFact } from "./facts.ts";
export { listAudit, verifyAudit } from "./handlers.ts";
export type { Recorder } from "./recorder.ts";
export { schema } from "./trail.ts";
