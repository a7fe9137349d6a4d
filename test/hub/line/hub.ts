import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { type Command, CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { openLog } from "../../../src/base/log.ts";
import { openAuthority, Roots, renew, ServerCertificate } from "../../../src/hub/enrolment/index.ts";
import { Line, type LineOptions } from "../../../src/hub/line/index.ts";
import { FakeNode, type HelloInit, type Identity, newIdentity } from "../../fakes/node.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { openRooms } from "../fleet/rooms.ts";

const log = openLog({ program: "hub", level: "silent", format: "json" });

export const hourMs = 3_600_000;

/** A hub of real parts, with a real disk and a real port, but without its API. */
export type Hub = Awaited<ReturnType<typeof startHub>>;

/** `path` is where a former hub left its state. */
export async function startHub(options: Partial<LineOptions> & { path?: string } = {}) {
  const resources = new AsyncDisposableStack();
  const path = options.path ?? resources.use(tempFolder()).path;
  const rooms = resources.use(await openRooms({ path, nodes: [] }));
  const { fleet, commands, reports, clock } = rooms;
  const authority = await openAuthority({ folder: join(path, "ca"), trustDomain: "", now: clock.now });
  const roots = await Roots.open({ store: rooms.store, founding: authority, clock, log });
  const certificate = await ServerCertificate.open({
    authority,
    folder: path,
    names: ["localhost"],
    clock,
    log,
  });
  const line = resources.use(
    await Line.open({
      ...{ host: "127.0.0.1", port: 0, roots, certificate, fleet, commands, reports, clock, log },
      beatMs: 60_000, // Fake nodes are silent unless they are told to speak.
      renew: (shown, asked) => renew({ roots, certificateMs: hourMs, now: clock.now }, shown, asked),
      ...options,
    }),
  );
  const stop = new AbortController();
  const running = line.run(stop.signal);
  return {
    ...{ path, store: rooms.store, authority, roots, certificate, fleet, commands, reports, line },
    /** Sets the wall clock forward. */
    pass: rooms.pass,
    /** Takes a node into the fleet, with a certificate of an hour that was issued some time ago. */
    async enrol(nodeId: string, agoMs = 0, validMs = hourMs): Promise<Identity> {
      const life = { at: clock.now() - agoMs, validMs };
      const identity = await newIdentity(authority, nodeId, undefined, life);
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
