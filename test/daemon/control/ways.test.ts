/** A node's end of the line at a real hub's, with what may be between. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { dialBy } from "../../../src/daemon/control/index.ts";
import type { LineOptions } from "../../../src/daemon/control/line.ts";
import type { LineState } from "../../../src/daemon/control/state.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { type Middlebox, startMiddlebox } from "../../fixtures/middlebox.ts";
import { startProxy } from "../../fixtures/proxy.ts";
import { type Hub, startHub, startPlc } from "../../hub/line/hub.ts";
import { until } from "../../journeys/until.ts";
import { openNode } from "./node.ts";

/** A hub with a middlebox before it. */
async function ground() {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder());
  const hub: Hub = opened.use(await startHub());
  const to = { host: "127.0.0.1", port: hub.line.port };
  const box: Middlebox = opened.use(await startMiddlebox({ to }));
  const { nodeId, keyPem, certificatePem } = await hub.enrol("n-a");
  const owned = opened.move();
  return {
    ...{ hub, box },
    /** Starts the node, which finds its hub at these addresses. */
    async node(lineAddresses: string[], more: Partial<LineOptions> = {}) {
      const identity = { nodeId, keyPem, certificatePem, caPem: hub.authority.rootPem, lineAddresses };
      const { line } = owned.use(await openNode(folder.path, identity, undefined, undefined, more));
      const seen: string[] = [];
      line.changes.listen(() => seen.push(told(line.state)));
      return {
        line,
        seen,
        isUp: () => until("the line is up", () => line.state.is === "up" && line.state),
        why: () => until("the line is down", () => line.state.is === "down" && line.state.why.message),
      };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function told(state: LineState): string {
  if (state.is === "connecting") return `${state.transport} to ${state.address.replace(/:\d+$/, "")}`;
  return state.is;
}

/** A command that is kept and one that is not go there and back. */
async function works({ hub }: { hub: Hub }): Promise<void> {
  const { commands, line } = hub;
  const getNode = create(CommandSchema, { id: "r1", request: { case: "getNode", value: {} } });
  const { outcome } = await line.read("n-a", getNode, AbortSignal.timeout(30_000));
  assert.equal(outcome.case, "getNode");
  await commands.submit("n-a", startPlc("c1"), { actor: "test", expiresInMs: 0 });
  await until("the command has its result", async () => (await commands.get("c1")).result);
}

describe("the way to the hub", () => {
  for (const whim of ["reset", "swallow"] as const) {
    it(`is a WebSocket where a box on it has the whim to ${whim} HTTP/2, and that carries all that gRPC does`, async () => {
      await using there = await ground();
      there.box.whim = whim;
      const dial = dialBy({ env: {} }, { openMs: 2_000 });
      const node = await there.node([`localhost:${there.box.port}`], { dial });
      assert.equal((await node.isUp()).transport, "websocket");
      assert.deepEqual(node.seen, ["grpc to localhost", "down", "websocket to localhost", "up"]);
      await works(there);
    });
  }

  it("is through the proxy, which is named where it refuses", async () => {
    await using there = await ground();
    const ways: string[] = [];
    using proxy = await startProxy({ credentials: "n:p", opened: (way) => ways.push(way) });
    const address = `hub.invalid:${there.hub.line.port}`;
    const dial = dialBy({ env: { https_proxy: `http://n:wrong@${proxy.address}` } });
    const node = await there.node([address], { dial });
    assert.equal(
      await node.why(),
      `the proxy at ${proxy.address} opens no way to ${address} (it answered 407 Proxy Authentication Required): give it a name and a password that it knows, in line.proxy_credentials_file or in https_proxy`,
    );
  });

  it("leads to the next address where one answers wrongly or not at all, and the name is said", async () => {
    await using there = await ground();
    const { hub, box } = there;
    const nowhere = `${"x".repeat(64)}.test`; // No name server is asked for it: no name can be that.
    const node = await there.node([`${nowhere}:1`, `127.0.0.1:${box.port}`, `localhost:${hub.line.port}`]);
    await node.isUp();
    assert.deepEqual(node.seen, [
      ...[`grpc to ${nowhere}`, "down", "grpc to 127.0.0.1", "down", "grpc to localhost", "up"],
    ]);
  });
});
