/** Where default routes lead. */
export const everywhere = { ipv4: "0.0.0.0/0", ipv6: "::/0" } as const;

/** What tells of a route where it leads. */
export interface Leading {
  /** `10.0.0.0/8`, `default`, or the address of one host. */
  readonly dst: string;
  /** Of IPv6 only, where every route has it. */
  readonly pref?: string | undefined;
}

/** A default route without a gateway does not show it by its addresses. */
export function isIpv6({ dst, pref }: Leading): boolean {
  return dst.includes(":") || pref !== undefined;
}

/** Where a route leads, always with a prefix. */
export function destinationOf(route: Leading): string {
  const { dst } = route;
  if (dst === "default") return isIpv6(route) ? everywhere.ipv6 : everywhere.ipv4;
  if (dst.includes("/")) return dst;
  return `${dst}/${isIpv6(route) ? 128 : 32}`;
}
