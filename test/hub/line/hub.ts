import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { type Command, CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { Commands, commandsSchema } from "../../../src/hub/commands/index.ts";
import { openAuthority, ServerCertificate } from "../../../src/hub/enrolment/index.ts";
import { Fleet, fleetSchema } from "../../../src/hub/fleet/index.ts";
import { Line, type LineOptions } from "../../../src/hub/line/index.ts";
import { Reports, reportsSchema } from "../../../src/hub/reports/index.ts";
import { Store } from "../../../src/hub/store/index.ts";
import { FakeNode, type HelloInit, type Identity, newIdentity } from "../../fakes/node.ts";
import { tempFolder } from "../../fixtures/folder.ts";

const log = openLog({ program: "hub", level: "silent", format: "json" });
const clock = systemClock;

/** A hub of real parts, with a real disk and a real port, but without its API. */
export type Hub = Awaited<ReturnType<typeof startHub>>;

/** `path` is where a former hub left its state. */
export async function startHub(options: Partial<LineOptions> & { path?: string } = {}) {
  const resources = new AsyncDisposableStack();
  const path = options.path ?? resources.use(tempFolder()).path;
  const schemas = [fleetSchema, commandsSchema, reportsSchema];
  const store = resources.use(Store.open(join(path, "hub.db"), schemas, clock.now));
  const authority = await openAuthority({ folder: join(path, "ca"), trustDomain: "", now: clock.now });
  const certificate = await ServerCertificate.open({ authority, folder: path, names: ["localhost"], clock });
  const fleet = await Fleet.open({ store, clock, log, watchPaceMs: 1 });
  const commands = await Commands.open({ store, fleet, clock, log });
  const reports = await Reports.open({ store, fleet, commands, clock, log });
  const line = resources.use(
    await Line.open({
      host: "127.0.0.1",
      port: 0,
      authority,
      certificate,
      fleet,
      commands,
      reports,
      clock,
      log,
      ...options,
    }),
  );
  const stop = new AbortController();
  const running = line.run(stop.signal);
  return {
    path,
    store,
    authority,
    certificate,
    fleet,
    commands,
    reports,
    line,
    /** Takes a node into the fleet. */
    async enrol(nodeId: string): Promise<Identity> {
      const identity = await newIdentity(authority, nodeId);
      const { serial, expiresAt } = identity;
      await fleet.enrolled({ nodeId, hostName: nodeId, serial, expiresAt, at: clock.now() });
      return identity;
    },
    dial: (identity: Identity): FakeNode =>
      FakeNode.dial({ port: line.port, rootPem: authority.rootPem, identity }),
    /** Dials, says hello and waits for the welcome. */
    async connect(identity: Identity, hello: HelloInit = {}): Promise<FakeNode> {
      const node = FakeNode.dial({ port: line.port, rootPem: authority.rootPem, identity });
      node.hello(hello);
      await node.next("welcome");
      return node;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort();
      await running;
      await resources.disposeAsync();
    },
  };
}

/** A command that a node would carry out. */
export function startPlc(id: string): Command {
  return create(CommandSchema, { id, request: { case: "startRuntime", value: { name: "plc1" } } });
}

/** A question that changes nothing. */
export function listRuntimes(id: string): Command {
  return create(CommandSchema, { id, request: { case: "listRuntimes", value: {} } });
}
