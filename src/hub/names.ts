import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import type { HubConfig } from "./config.ts";

/** This machine's names, for a hub that listens on all of its addresses. */
export function machineNames(): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((of) => of ?? [])
    .filter((one) => !one.internal && !one.scopeid);
  return [...new Set([hostname(), ...addresses.map((one) => one.address)])];
}

/**
 * The hosts that nodes are told to dial: what the operator says, else where the hub listens. `machine` is asked for when
 * that is everywhere. IPv6 addresses come without brackets.
 */
export function advertisedHosts(
  config: Pick<HubConfig, "hub.advertise" | "hub.listen">,
  machine: () => readonly string[],
): readonly string[] {
  const { "hub.advertise": said, "hub.listen": listen } = config;
  if (said.length > 0) return said.map((host) => host.replace(/^\[(.*)\]$/, "$1"));
  return listen === "0.0.0.0" || listen === "::" ? machine() : [listen];
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostPort(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
