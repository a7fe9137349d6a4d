import type { NetworkPicture } from "../../gen/edge/v1/netmon_pb.ts";
import type { NetworkInterface, NetworkRoute } from "../../gen/edge/v1/node_pb.ts";
import { rows } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Interfaces as a table for people. */
export function tableOfInterfaces(interfaces: readonly NetworkInterface[], terminal: Terminal): string {
  return rows(
    terminal,
    ["NAME", "KIND", "STATE", "MAC", "MTU", "SPEED", "ADDRESSES", "GATEWAYS"],
    interfaces.map((one) => [
      one.name,
      one.kind,
      one.carrier ? one.operstate : `${one.operstate}, no carrier`,
      one.mac,
      String(one.mtu),
      one.speedMbps === 0 ? "" : speed(one),
      one.addresses.join(", "),
      one.gateways.join(", "),
    ]),
    "no network interfaces",
  );
}

/** The routes of interfaces as a table for people; empty when none is known. */
export function tableOfRoutes(interfaces: readonly NetworkInterface[], terminal: Terminal): string {
  const routes = interfaces.flatMap(({ name, routes }) =>
    routes.map(({ destination, gateway, metric }) => [
      destination,
      gateway || "on the link",
      name,
      String(metric),
    ]),
  );
  return routes.length === 0
    ? ""
    : `\n${rows(terminal, ["ROUTE", "VIA", "INTERFACE", "METRIC"], routes, "")}`;
}

/** What a person wants to know of a change, a sentence for each interface that it is about. */
export function changesOf(before: NetworkPicture, after: NetworkPicture): string[] {
  const [old, now] = [byName(before), byName(after)];
  const names = [...new Set([...old.keys(), ...now.keys()])].sort();
  const sentences = names.flatMap((name) => {
    const changes = interfaceChanges(old.get(name), now.get(name));
    return changes.length === 0 ? [] : [`${name}: ${changes.join("; ")}`];
  });
  const servers = listed(after.dnsServers);
  return listed(before.dnsServers) === servers ? sentences : [...sentences, `name servers: ${servers}`];
}

function interfaceChanges(old: NetworkInterface | undefined, now: NetworkInterface | undefined): string[] {
  if (!now) return old ? ["is gone"] : [];
  if (!old) return [`came, ${now.kind}, ${now.carrier ? "with" : "no"} carrier`, ...fresh([], now.addresses)];
  const told = (is: boolean, sentence: string) => (is ? [sentence] : []);
  return [
    ...told(old.index !== now.index, `is another one, index ${now.index}`),
    ...told(old.carrier !== now.carrier, now.carrier ? "carrier is back" : "carrier lost"),
    ...told(old.carrier === now.carrier && old.operstate !== now.operstate, `is ${now.operstate}`),
    ...told(old.kind !== now.kind, `is ${now.kind}`),
    ...told(old.mac !== now.mac, `MAC ${now.mac}`),
    ...told(old.mtu !== now.mtu, `MTU ${now.mtu}`),
    ...told(old.speedMbps !== now.speedMbps && now.speedMbps > 0, speed(now)),
    ...fresh(old.addresses, now.addresses),
    ...told(listed(old.gateways) !== listed(now.gateways), `gateways ${listed(now.gateways)}`),
    ...fresh(old.routes.map(routeInWords), now.routes.map(routeInWords)),
  ];
}

/** What went with a minus, what came with a plus. */
function fresh(old: readonly string[], now: readonly string[]): string[] {
  return [
    ...old.filter((one) => !now.includes(one)).map((one) => `-${one}`),
    ...now.filter((one) => !old.includes(one)).map((one) => `+${one}`),
  ];
}

function routeInWords({ destination, gateway, metric }: NetworkRoute): string {
  const via = gateway === "" ? "on the link" : `via ${gateway}`;
  return `route ${destination} ${via}${metric === 0 ? "" : `, metric ${metric}`}`;
}

function speed({ speedMbps }: NetworkInterface): string {
  return `${speedMbps} Mbit/s`;
}

function listed(addresses: readonly string[]): string {
  return addresses.length === 0 ? "none" : addresses.join(", ");
}

function byName({ interfaces }: NetworkPicture): Map<string, NetworkInterface> {
  return new Map(interfaces.map((one) => [one.name, one]));
}
