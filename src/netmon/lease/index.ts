/**
 * The DHCP client of one link: keeps a lease for it as long as it is open, and says what becomes of it. It never touches an
 * address or a route: whoever opened it does, from the news.
 */

export { LeaseClient } from "./client.ts";
export type { DhcpLease } from "./lease.ts";
export type { LeaseNews } from "./news.ts";
export { releaseLease } from "./release.ts";
