import { isIPv6 } from "node:net";

/** The subnets of addresses such as `192.168.1.4/24`, each once, in their order; what is no such address has none. */
export function subnetsOf(addresses: readonly string[]): string[] {
  return [...new Set(addresses.flatMap((address) => subnetOf(address) ?? []))];
}

/** `192.168.1.0/24` for `192.168.1.4/24`, or undefined for what is no address with a prefix. */
export function subnetOf(address: string): string | undefined {
  const [, host = "", length = ""] = /^([0-9a-fA-F.:]+)\/(\d{1,3})$/.exec(address) ?? [];
  const bits = isIPv6(host) ? 128 : 32;
  const prefix = Number(length);
  const value = bits === 128 ? parse6(host) : parse4(host);
  if (value === undefined || length === "" || prefix > bits) return undefined;
  const hostBits = BigInt(bits - prefix);
  const network = (value >> hostBits) << hostBits;
  return `${bits === 128 ? format6(network) : format4(network)}/${prefix}`;
}

/** `192.168.1.4` for `192.168.1.4/24`, and for itself. */
export function withoutPrefix(address: string): string {
  return address.replace(/\/.*/, "");
}

/**
 * Whether a machine can have an address such as `192.168.1.4/24`: one of a single machine, and neither the first nor the last of
 * its IPv4 subnet, which are the subnet itself and all of its machines (but in a /31, RFC 3021, and a /32).
 */
export function isHostAddress(address: string): boolean {
  const subnet = subnetOf(address);
  const [host = "", length = ""] = address.split("/");
  if (subnet === undefined || length === "0") return false;
  if (isIPv6(host)) return !/^(?:::|::1|ff.*)$/.test(shortIpv6(host));
  const value = parse4(host) ?? 0n;
  const isOfOne = value >> 24n !== 0n && value >> 24n !== 127n && value >> 24n < 224n;
  if (!isOfOne || Number(length) >= 31) return isOfOne;
  const last = (1n << BigInt(32 - Number(length))) - 1n;
  return (value & last) !== 0n && (value & last) !== last;
}

function parse4(host: string): bigint | undefined {
  const bytes = host.split(".").map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !(byte <= 255))) return undefined;
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function format4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
}

/** The one short form of an IPv6 address (RFC 5952). A URL writes every one so, without dotted ends. */
export function shortIpv6(host: string): string {
  return new URL(`http://[${host}]`).hostname.slice(1, -1);
}

function parse6(host: string): bigint {
  const [head = "", tail] = shortIpv6(host).split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = new Array<string>(8 - before.length - after.length).fill("0");
  const all = [...before, ...zeros, ...after];
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function format6(value: bigint): string {
  const digits = value.toString(16).padStart(32, "0");
  return shortIpv6(digits.replace(/(.{4})(?!$)/g, "$1:"));
}
