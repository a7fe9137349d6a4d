import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { pathInside } from "../../wire/devices.ts";
import type { ObservedContainer } from "../engine/index.ts";
import type { Attached, Reached } from "../network/index.ts";
import type { Wish } from "../wishes/index.ts";
import type { Step } from "./step.ts";

/** Whether netmon has something to plug in. */
export function isPluggable({ vnics, devices }: Pick<RuntimeSpec, "vnics" | "devices">): boolean {
  return vnics.length > 0 || devices.length > 0;
}

/** What that is, for a sentence. */
export function plugsOf({ vnics, devices }: Pick<RuntimeSpec, "vnics" | "devices">): string {
  if (devices.length === 0) return "vNICs";
  return vnics.length === 0 ? "devices" : "vNICs and devices";
}

/** What decides about the vNICs and devices of one runtime. */
export interface Lan {
  netmon: Reached;
  /** Whether the last attempt failed just now: the next one waits. */
  isPaused: boolean;
}

/** A runtime with vNICs or devices is not made without netmon: nothing is begun that would have to be undone. */
export function planAwaitNetmon(wish: Wish, { netmon }: Lan): Step[] {
  if (wish.stage !== "creating" || !isPluggable(wish.spec) || netmon.at === "there") return [];
  return [{ do: "awaitNetmon", reason: "netmon plugs its vNICs and devices in" }];
}

/** Netmon must know its vNICs and devices by the time that its program begins, or at once when it runs already. */
export function planAttach(wish: Wish, kept: ObservedContainer | undefined, name: string, lan: Lan): Step[] {
  if (lan.netmon.at !== "there" || lan.isPaused) return [];
  const attached = lan.netmon.attached.get(wish.name);
  if (!isPluggable(wish.spec)) {
    return attached || wish.untold.includes("vnics")
      ? [{ do: "detach", reason: "its wish has no vNICs and devices any more" }]
      : [];
  }
  const reason =
    wish.stage === "creating"
      ? "its vNICs and devices must be known when its program begins"
      : whyAttached(wish, kept, attached);
  return reason === undefined ? [] : [{ do: "attach", container: kept?.id ?? name, isAsked: false, reason }];
}

/** Who asked for a start waits until each vNIC is up, or says what it waits for. */
export function planSettle(wish: Wish, container: string, { netmon }: Lan): Step[] {
  if (!isPluggable(wish.spec) || netmon.at !== "there") return [];
  return [
    {
      do: "attach",
      container,
      isAsked: true,
      reason: "who asked for it waits until its vNICs are up and its devices are plugged in",
    },
  ];
}

/** Takes away what netmon keeps of a runtime that is to go. While netmon is away nobody waits: it is done when it is back. */
export function planDetach({ name, spec }: Wish, { netmon }: Lan, reason: string): Step[] {
  if (netmon.at !== "there") return [];
  // The list may be a moment old: what was just plugged in need not be in it yet.
  return isPluggable(spec) || netmon.attached.has(name) ? [{ do: "detach", reason }] : [];
}

/** Whether netmon still keeps something of a runtime that has no wish any more. */
export function isLeftPlugged(netmon: Reached, name: string): boolean {
  return netmon.at === "there" && netmon.attached.has(name);
}

/** Why netmon must be told what it should keep; undefined when it keeps just that. */
function whyAttached(
  { spec, untold }: Wish,
  kept: ObservedContainer | undefined,
  attached: Attached | undefined,
): string | undefined {
  if (!attached) return "netmon does not know its vNICs and devices";
  if (untold.includes("vnics")) return "its vNICs or devices were changed";
  if (attached.containerId !== kept?.id) return "netmon knows its container before this one";
  const isSame = names(attached) === names(spec);
  return isSame ? undefined : "netmon knows other vNICs or devices of it";
}

/** What is plugged in, in order. */
function names({
  vnics,
  devices,
}: {
  vnics: readonly { name: string }[];
  devices: readonly { nodePath: string; path: string }[];
}): string {
  const ofDevices = devices.map((device) => `${device.nodePath}=${pathInside(device)}`);
  return [...vnics.map(({ name }) => name), ...ofDevices].join(" ");
}
