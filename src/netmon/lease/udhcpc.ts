import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Failure, failure } from "../../base/failure.ts";
import { aborted } from "../../base/tasks.ts";
import { ownNamespace, type Place } from "../namespaces/index.ts";
import { readRecords, type Told } from "./records.ts";

/** For what a lease is asked. */
export interface Asking {
  readonly place: Place;
  readonly device: string;
  /** In hex, its type first: `01` and the MAC address, colons or none. */
  readonly clientId: string;
  readonly hostName?: string;
  /** The address that it would like, without prefix. */
  readonly address?: string | undefined;
}

export interface Hearing {
  readonly onTold: (told: Told) => void;
  readonly onSaid?: (line: string) => void;
}

/** One run of the client: it asks until it is disposed of, and nothing of it is left then. */
export interface Udhcpc extends AsyncDisposable {
  /** Resolves when it ended, with why if that was by itself. */
  readonly ended: Promise<Failure>;
  /** It has a lease from a server, rather than one that it was told of. */
  readonly isBound: boolean;
  /**
   * Sends DHCPRELEASE, for which the address must be on the link; it is on its way when this returns.
   * @throws {Failure} unavailable: it ended before.
   */
  giveBack(signal: AbortSignal): Promise<void>;
}

/** Three questions 2 s apart, then the word that nobody answers, and on after 2 s: a server that is back is found within 4 s. */
const insistence = ["-t", "3", "-T", "2", "-A", "2"];
/** Options beyond those that it asks for anyway. The last is how Windows calls classless routes. */
const wanted = ["mtu", "staticroutes", "msstaticroutes"].flatMap((option) => ["-O", option]);
/** The kernel may have to ask for the server's MAC before the release leaves, and forgets it if the link goes first. */
const leavesWithinMs = 100;

/**
 * Runs busybox udhcpc. It is killed by the kernel when netmon dies, however that dies; and if netmon died just before that was
 * agreed, the path to the namespace died with it.
 */
export function startUdhcpc(asking: Asking, { onTold, onSaid }: Hearing): Udhcpc {
  const [program = "", ...args] = commandFor(asking);
  // A small environment of its own, so that the script's is what udhcpc puts there.
  const env = { PATH: process.env.PATH };
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env });
  let isBound = false;
  let onRelease = () => {};
  const hear = (told: Told) => {
    if (told.event === "bound" || told.event === "renew") isBound = true;
    if (told.event === "deconfig") {
      isBound = false;
      onRelease();
    }
    onTold(told);
  };
  child.stdout.setEncoding("utf8").on("data", readRecords(hear));
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = text.trim();
    onSaid?.(said);
  });
  const ended = once(child, "close").then(
    () => failure("unavailable", `udhcpc ended (${child.signalCode ?? child.exitCode}): ${said}`),
    (thrown: unknown) =>
      failure("unavailable", "udhcpc cannot be run: install busybox and util-linux", { cause: thrown }),
  );
  return {
    ended,
    get isBound() {
      return isBound;
    },
    async giveBack(signal) {
      const released = new Promise<void>((resolve) => {
        onRelease = resolve;
      });
      child.kill("SIGUSR2");
      const early = await Promise.race([released, ended, aborted(signal)]);
      signal.throwIfAborted();
      if (early) throw early;
      await sleep(leavesWithinMs);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function commandFor({ place, device, clientId, hostName = "", address }: Asking): string[] {
  const name = hostName.replace(/[^A-Za-z0-9-]/g, "-").slice(0, 63);
  return [
    ...["setpriv", "--pdeathsig", "KILL", "nsenter", `--net=${place.netns ?? ownNamespace}`],
    ...["busybox", "udhcpc", "-f", "-i", device, "-s", join(import.meta.dirname, "tell.sh")],
    ...[...insistence, ...wanted, "-x", `0x3d:${clientId.replaceAll(":", "")}`],
    ...(name === "" ? [] : ["-x", `hostname:${name}`]),
    ...(address === undefined ? [] : ["-r", address]),
  ];
}
