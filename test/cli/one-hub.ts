/** A hub with one node and two runtimes, for tests that look at what the CLI makes of its answers. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import { type Command, type Result, ResultSchema } from "../../gen/edge/v1/command_pb.ts";
import { EventSchema, RuntimeChangeKind } from "../../gen/edge/v1/events_pb.ts";
import { CommandState, Fleet, FleetCommandSchema, FleetNodeSchema } from "../../gen/edge/v1/fleet_pb.ts";
import { RuntimePhase, RuntimeSchema, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../src/base/failure.ts";
import { toConnectError } from "../../src/wire/failures.ts";
import { ask, type Seen, type Surroundings } from "./ask.ts";
import { type StandInHub, standInHub } from "./stand-in.ts";

const node = create(FleetNodeSchema, { id: "node-7f3a", hostName: "press-7", connected: true });

/** A runtime that has been up for an hour and a half. */
function runtime(name: string, phase: RuntimePhase, { restarts = 0, reason = "" } = {}) {
  const ports = [{ nodePort: 18443, runtimePort: 8443 }];
  const spec = { name, image: "orchestrator/openplc-sample:4.0", ports };
  const startedAt = timestampFromMs(Date.now() - 5_400_000);
  return create(RuntimeSchema, { spec, phase, startedAt, restarts, reason });
}

const runtimes = [
  runtime("plc1", RuntimePhase.RUNNING, { restarts: 2 }),
  runtime("plc-two", RuntimePhase.FAILED, { reason: "its image is \x1b[31mgone" }),
];

/** A hub with one node; commands end as `outcome` says, after some progress. */
class Hub {
  readonly submitted: Command[] = [];
  readonly headers: Headers[] = [];
  outcome: Result | undefined;
  /** Called when a command was submitted, before the answer. */
  onSubmit = async (): Promise<void> => {};
  /** Called when a command is watched, before its first picture. */
  onWatch = (): void => {};
  node = node;

  routes = (router: ConnectRouter): void => {
    router.service(Fleet, {
      listNodes: () => ({ nodes: [this.node] }),
      submitCommand: async ({ command }) => {
        if (command) this.submitted.push(command);
        await this.onSubmit();
        return { command: { ...(command && { command }) } };
      },
      watchCommand: async function* (this: Hub, { id }: { id: string }) {
        this.onWatch();
        const command = create(FleetCommandSchema, { state: CommandState.ACCEPTED });
        const progress = {
          commandId: id,
          phase: "pulling image",
          doneBytes: 512n << 20n,
          totalBytes: 1n << 30n,
          detail: "1 of 3 layers were there",
        };
        yield { command };
        yield { command, progress };
        if (this.outcome) yield { command: { ...command, result: this.outcome } };
      }.bind(this),
      watchEvents: async function* () {
        const fact = {
          case: "runtime" as const,
          value: { name: "plc1", kind: RuntimeChangeKind.EXITED, exitCode: 137, outOfMemory: true },
        };
        const event = create(EventSchema, {
          at: timestampFromMs(0),
          commandId: "cmd-1",
          fact: fact as never,
        });
        yield { position: 1n, nodeId: node.id, sequence: 1n, event };
      },
    });
    router.service(Runtimes, {
      listRuntimes: (_, { requestHeader }) => {
        this.headers.push(requestHeader);
        return { runtimes };
      },
      getRuntime: ({ name }) => {
        throw toConnectError(failure("not_found", `there is no runtime ${name} on this node`));
      },
    });
  };
}

export async function world(
  t: TestContext,
): Promise<{ hub: Hub; served: StandInHub; say: Say; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-cli-"));
  const hub = new Hub();
  const served = await standInHub(folder, hub.routes);
  t.after(async () => {
    await served.cut();
    rmSync(folder, { recursive: true });
  });
  const at = [
    "--hub",
    `https://127.0.0.1:${served.port}`,
    "--token-file",
    "admin.token",
    "--ca-file",
    served.caFile,
  ];
  return { hub, served, folder, say: (args, more) => ask([...args, ...at], { folder, ...more }) };
}

type Say = (args: string[], more?: Partial<Surroundings>) => Promise<Seen>;

export const create1 = ["runtime", "create", "plc1", "--image", "busybox:1"];
export const ended = (outcome: MessageInitShape<typeof ResultSchema>) =>
  create(ResultSchema, { tookMs: 412, ...outcome });
export const created = ended({
  outcome: { case: "createRuntime", value: { created: true, ...(runtimes[0] && { runtime: runtimes[0] }) } },
});
