import { type Place, run } from "./run.ts";

/** Values by their path below /proc/sys/net, in which `*` stands for a link. */
export type Settings = Readonly<Record<string, number>>;

/**
 * Writes settings of one link, in their order. Returns those that this kernel does not have.
 * @throws {Failure} not_found: the link. denied: /proc/sys cannot be written.
 */
export async function writeSettings(
  place: Place,
  device: string,
  settings: Settings,
  signal: AbortSignal,
): Promise<string[]> {
  const pairs = Object.entries(settings).flatMap(([path, value]) => [path, String(value)]);
  const args = ["-c", script, "sh", device, ...pairs.map((word) => word.replace("*", device))];
  const said = await run(place, "sh", args, { signal, doing: `write settings of ${device}` });
  const missing = new Set(said.split("\n"));
  return Object.keys(settings).filter((path) => missing.has(path.replace("*", device)));
}

/**
 * A link that keeps its addresses apart from those of others: it answers ARP for its own only, so that two links in one subnet
 * are two stations; and of two addresses in one subnet the second stays when the first goes.
 * @throws {Failure} as `writeSettings`.
 */
export async function keepAddressesApart(place: Place, device: string, signal: AbortSignal): Promise<void> {
  await writeSettings(place, device, apart, signal);
}

const apart: Settings = {
  "ipv4/conf/*/arp_ignore": 1,
  "ipv4/conf/*/arp_announce": 2,
  "ipv4/conf/*/promote_secondaries": 1,
};

/** /proc/sys/net shows the namespace of whoever reads it, so it is written by a program within. */
const script = `
set -e
cd /proc/sys/net
[ -d ipv4/conf/"$1" ] || { echo "Cannot find device $1" >&2; exit 1; }
shift
while [ $# -gt 0 ]; do
  if [ -e "$1" ]; then echo "$2" >"$1"; else echo "$1"; fi
  shift 2
done`;
