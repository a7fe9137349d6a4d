import { failure } from "../../base/failure.ts";
import { withoutPrefix } from "../../wire/subnet.ts";
import { complaintOf } from "./complaint.ts";
import { observe } from "./inside.ts";
import { attempt, type Place, run } from "./run.ts";

export interface ArpOptions {
  readonly place: Place;
  readonly device: string;
  /** IPv4, with or without prefix. */
  readonly address: string;
  readonly signal: AbortSignal;
}

/** A second question, because a switch may lose the first one while it learns where we are. */
const questions = 2;

/**
 * Asks the LAN who has an address, without claiming it (RFC 5227): the MAC of another station that answers, or undefined after
 * 2 s. The link must be up. @throws {Failure} unavailable: there is no carrier, so nobody can be asked. not_found: the link.
 */
export async function probeAddress(options: ArpOptions): Promise<string | undefined> {
  const { place, device, signal } = options;
  const host = withoutPrefix(options.address);
  await requireCarrier(place, device, signal);
  const args = ["arping", "-D", "-f", "-c", String(questions), "-I", device, host];
  const ending = await attempt(place, "busybox", args, { signal });
  const mac = /^\S+ reply from \S+ \[([0-9a-f:]{17})\]/im.exec(ending.stdout)?.[1];
  if (mac !== undefined) return mac.toLowerCase();
  if (ending.code === 0) return undefined;
  const { kind, sentence } = complaintOf("busybox", ending);
  throw failure(kind, `cannot ask who has ${host}: ${sentence}`);
}

/**
 * Tells the LAN at once by which MAC an address is reached from now on (gratuitous ARP): neighbours that knew another one would
 * otherwise take seconds to notice. Once as a question and once as an answer, because some stations only believe one of them.
 */
export async function announce(options: ArpOptions): Promise<void> {
  const { place, device, signal } = options;
  const host = withoutPrefix(options.address);
  const tell = (how: string) =>
    run(place, "busybox", ["arping", how, "-c", "1", "-I", device, host], {
      ...{ signal, doing: `announce ${host} on ${device}` },
    });
  await Promise.all([tell("-U"), tell("-A")]);
}

/** Without a carrier every question goes unanswered, which must not be taken for "free". */
export async function requireCarrier(place: Place, device: string, signal: AbortSignal): Promise<void> {
  const link = (await observe(place, signal)).links.find(({ name }) => name === device);
  if (link === undefined) throw failure("not_found", `there is no link ${device}`);
  if (link.hasCarrier) return;
  throw failure(
    "unavailable",
    `${device} has no carrier, so nobody on its LAN can be asked: plug in its cable`,
  );
}
