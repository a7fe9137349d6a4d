/** What a caller may do; each role may do all that the one before may. */
export const roleNames = ["viewer", "operator", "admin"] as const;

/** One of them. */
export type Role = (typeof roleNames)[number];

/** Whether who has one role may do what needs another. */
export function allows(has: Role, needed: Role): boolean {
  return roleNames.indexOf(has) >= roleNames.indexOf(needed);
}
