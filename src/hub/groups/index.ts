/**
 * Groups: selectors with a name, kept for the whole hub or for one of its tenants. A group has no members of its own: it means the
 * nodes that its selector means when it is used.
 */
export { type GroupRecord, Groups } from "./groups.ts";
export { groupsSchema } from "./schema.ts";
