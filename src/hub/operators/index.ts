/**
 * Who may use the hub's API: operator tokens with a role. A token is `op_<id>_<secret>`; the hub keeps the SHA-256 of the
 * secret. There is always a way in: a hub without a valid admin token makes one at its start, in a file that only the
 * hub's own user can read.
 */
export { type Caller, type OperatorRecord, Operators } from "./operators.ts";
export { allows, type Role, roleNames } from "./roles.ts";
export { schema } from "./schema.ts";
