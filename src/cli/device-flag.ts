import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { DeviceSchema, GpusSchema } from "../../gen/edge/v1/devices_pb.ts";
import { evidence } from "../base/evidence.ts";
import { failure } from "../base/failure.ts";
import { checked, collect } from "./flags.ts";

type DeviceInit = Exclude<MessageInitShape<typeof DeviceSchema>, { $typeName: string }>;
type GpusInit = Exclude<MessageInitShape<typeof GpusSchema>, { $typeName: string }>;

/** Flags that say which devices of the node a runtime may use. */
export interface DeviceFlags {
  device: DeviceInit[];
  gpus?: GpusInit;
}

/** Their names as commander keeps them. */
export const deviceFlagNames: readonly (keyof DeviceFlags)[] = ["device", "gpus"];

/** Adds them to a command. */
export function withDeviceFlags(command: Command): Command {
  return command
    .option(
      "--device <path[:path][:ro][,shared]>",
      "device of the node, as in /dev/serial/by-id/usb-A:/dev/ttyPLC; may be given often",
      collect(parseDevice),
      [],
    )
    .option("--gpus <all|count|id,...>", "GPUs of the node", checked(parseGpus));
}

/** What they say. */
export function fromDeviceFlags({ device, gpus }: DeviceFlags) {
  return { devices: device, ...(gpus && { gpus }) };
}

/** A name below /dev/serial/by-path has colons of its own; what begins with a slash behind one is the other path. */
function parseDevice(text: string): DeviceInit {
  const [, nodePath, path = "", mode, shared] =
    /^(\/dev\/.+?)(?::(\/.+?))?(:ro|:rw)?(,shared)?$/.exec(text) ?? [];
  if (nodePath !== undefined) {
    return { nodePath, path, readOnly: mode === ":ro", shared: shared !== undefined };
  }
  const sentence = "it must be a path below /dev, as in /dev/ttyUSB0 or /dev/ttyUSB0:/dev/ttyPLC:ro,shared";
  throw failure("invalid", `${sentence}; it is ${evidence(text)}`);
}

function parseGpus(text: string): GpusInit {
  if (text === "all") return {};
  if (/^[1-9]\d?$/.test(text)) return { count: Number(text) };
  const ids = text.split(",").map((one) => one.trim().replace(/^device=/, ""));
  if (ids.every((one) => one !== "")) return { ids };
  throw failure("invalid", "it must be all, how many, or their ids with commas between, as in GPU-3a23c669");
}
