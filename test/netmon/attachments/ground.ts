/** An engine with containers, a plant's LANs, and netmon as a program of its own in between: what vNICs are tried on. */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { promisify } from "node:util";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type AttachmentEvent, NetMon } from "../../../gen/edge/v1/netmon_pb.ts";
import {
  AddressMode,
  VnicChangeKind,
  type VnicPhase,
  type VnicSchema,
} from "../../../gen/edge/v1/vnics_pb.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage } from "../../fixtures/images.ts";
import type { Lan } from "../../fixtures/lan.ts";
import { program } from "../../journeys/program.ts";
import { until } from "../../journeys/until.ts";

export type VnicInit = Exclude<MessageInitShape<typeof VnicSchema>, { $typeName: string }>;

const run = promisify(execFile);

export async function ground(settings: Record<string, string> = {}, rights: readonly string[] = []) {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder());
  const engine = opened.use(await startEngine({ name: "vnics" }));
  const image = await idleImage(engine);
  const socket = join(folder.path, "netmon.sock");
  const under = ["nsenter", `--net=/run/netns/${engine.netns}`, ...rights];
  const env = {
    ORCHESTRATOR_NETMON_SOCKET: socket,
    ORCHESTRATOR_NETMON_SETTLE_MS: "100",
    ORCHESTRATOR_LOG_LEVEL: "debug",
    // What is tested must be noticed, and not be found by the slow look.
    ORCHESTRATOR_NETMON_LOOK_EVERY_MS: "3600000",
    ...settings,
  };
  const netmon = opened.use(program(["netmon", "start"], { env, under }));
  const transport = createGrpcTransport({
    baseUrl: "http://netmon",
    nodeOptions: { createConnection: () => connect(socket) },
  });
  const client = createClient(NetMon, transport);
  const startNetmon = async () => {
    netmon.start();
    await until("netmon answers", () => client.getNetwork({}));
  };
  await startNetmon();
  const ip = (...commands: string[]) => {
    for (const command of commands) {
      execFileSync("ip", ["-n", engine.netns, ...command.split(" ")], { stdio: "pipe" });
    }
  };
  const statusOf = async (owner: string, name = "lan0") => {
    for await (const { attachments } of client.watchAttachments({})) {
      return attachments.find((one) => one.owner === owner)?.vnics.find((one) => one.name === name);
    }
    return undefined;
  };
  const owned = opened.move();
  return {
    ...{ engine, netmon, client, startNetmon, ip, statusOf, until },
    /** The node's own links, by name, without their states. */
    links: () => {
      const said = execFileSync("ip", ["-n", engine.netns, "-o", "link"], { encoding: "utf8" });
      return [...said.matchAll(/^\d+: ([^:@]+)/gm)].map(([, name]) => name).join(" ");
    },
    /** Of the newest event. */
    sequence: async () => {
      for await (const { lastSequence } of client.watchAttachments({})) return lastSequence;
      return 0n;
    },
    /** Plugs a NIC of the node into a LAN, with the address of its host number there, if one is given. */
    nic: async (name: string, lan: Lan, host: number) => {
      const cable = lan.attach(engine.netns, name);
      const address = `${lan.at(host)}/24`;
      ip(`address add ${address} dev ${name}`);
      await until(`netmon sees ${name}`, async () => {
        const { picture } = await client.getNetwork({});
        return picture?.interfaces.find((one) => one.name === name)?.addresses.includes(address);
      });
      return cable;
    },
    /** A container that is made and not started. */
    container: async (name: string) => {
      const container = await engine.docker.createContainer({ name, Image: image });
      return {
        id: container.id,
        start: () => container.start(),
        restart: () => container.restart({ t: 1 }),
        remove: () => container.remove({ force: true }),
        /** Runs a program in its network. */
        inside: async (...command: string[]) => {
          const { State } = await container.inspect();
          return (await run("nsenter", [`--net=/proc/${State.Pid}/ns/net`, ...command])).stdout;
        },
        /** Runs a program as the container would itself: what it wrote, and how it ended. */
        exec: async (...command: string[]) => {
          const exec = await container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true });
          const stream = await exec.start({ Tty: false });
          const chunks: Buffer[] = [];
          const taken = new PassThrough().on("data", (chunk: Buffer) => chunks.push(chunk));
          engine.docker.modem.demuxStream(stream, taken, taken);
          await once(stream, "end");
          // The engine may hear of its end after it heard its last word.
          const { code } = await until("it has ended", async () => {
            const { Running: isRunning, ExitCode: code } = await exec.inspect();
            return !isRunning && { code };
          });
          return { output: Buffer.concat(chunks).toString(), code };
        },
        /** What tells one life from another. */
        life: async () => {
          const { State, Id } = await container.inspect();
          return `${Id} ${State.StartedAt} ${State.Pid}`;
        },
        pid: async () => (await container.inspect()).State.Pid,
        file: async (path: string) => {
          const { State } = await container.inspect();
          return (await run("cat", [`/proc/${State.Pid}/root${path}`])).stdout;
        },
      };
    },
    attach: async (owner: string, containerId: string, ...vnics: VnicInit[]) => {
      const runtime = owner.split("/").at(-1) ?? owner;
      return (
        await client.attach({
          requestId: `request-${owner}`,
          attachment: { owner, containerId, runtime, vnics },
        })
      ).vnics;
    },
    /** Waits until a vNIC is in a phase, and has the address if one is given. */
    is: (owner: string, phase: VnicPhase, address?: string, name?: string) =>
      until(`${owner} is in phase ${phase} with ${address}`, async () => {
        const status = await statusOf(owner, name);
        if (status?.phase === phase && (!address || status.addresses.includes(address))) return status;
        throw new Error(
          `it is ${JSON.stringify(status, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))}`,
        );
      }),
    /** What happened since, as `KIND owner`. */
    eventsAfter: async (sequence: bigint): Promise<AttachmentEvent[]> => {
      for await (const { events } of client.watchAttachments({ afterSequence: sequence })) return events;
      return [];
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export function kindsOf(events: readonly AttachmentEvent[]): string[] {
  const names = Object.entries(VnicChangeKind).map(([name, kind]) => [kind, name] as const);
  const named = new Map<number, string>(names);
  return events.map(({ change }) => named.get(change?.kind ?? 0) ?? "?");
}

/** A vNIC upon eth1 with a MAC of its own, by DHCP if nothing else is said. */
export function vnic(owner: string, init: VnicInit = {}): VnicInit {
  const hash = createHash("sha256")
    .update(`${owner}/${init.name ?? "lan0"}`)
    .digest("hex");
  const mac = `02:${hash.slice(0, 10).replace(/..(?!$)/g, "$&:")}`;
  return { name: "lan0", parent: "eth1", mac, addressMode: AddressMode.DHCP, ...init };
}
