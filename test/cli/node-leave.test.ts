/** What is asked before a node is taken out of service, and what is said afterwards. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { ConnectRouter } from "@connectrpc/connect";
import { Fleet, type RemoveNodeRequest } from "../../gen/edge/v1/fleet_pb.ts";
import { LeftWorkloads, Node } from "../../gen/edge/v1/node_pb.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ask } from "./ask.ts";
import { standInDaemon, standInHub } from "./stand-in.ts";

test("a node leaves only when it was said what becomes of its workloads, and by who was asked", async () => {
  using folder = tempFolder();
  const asked: RemoveNodeRequest[] = [];
  const nodes = [
    { id: "n-here", hostName: "press", connected: true },
    { id: "n-away", hostName: "mill" },
  ];
  const routes = (router: ConnectRouter): void => {
    router.service(Fleet, {
      listNodes: ({ ids }) => ({ nodes: nodes.filter(({ id }) => ids.length === 0 || ids.includes(id)) }),
      removeNode: (request) => {
        asked.push(request);
        return { nodeDone: request.id === "n-here", removed: ["container/edge-1-plc1"] };
      },
    });
    router.service(Node, {
      getNode: () => ({ nodeId: "n-here" }),
      planDecommission: () => ({
        objects: ["container/edge-1-plc1"],
        runtimes: ["plc1"],
        hubAddress: "hub:7443",
      }),
      decommission: () => ({ removed: [] }),
    });
  };
  await using hub = await standInHub(folder.path, routes);
  await using _daemon = await standInDaemon(join(folder.path, "daemon.sock"), routes);
  const at = [
    "--hub",
    `https://127.0.0.1:${hub.port}`,
    "--token-file",
    "admin.token",
    "--ca-file",
    hub.caFile,
  ];
  const say = (args: string, terminal = {}) =>
    ask([...args.split(" "), ...at], { folder: folder.path, terminal });
  const plan = [
    "the node leaves its hub at hub:7443\n",
    "these runtimes end: plc1\n",
    "these objects of its engine are removed, with all data in them:\n",
    "  container/edge-1-plc1\n",
  ].join("");

  const unsaid = await say("node remove n-here --yes");
  assert.deepEqual([unsaid.code, /--keep-workloads, or --purge/.test(unsaid.err)], [3, true]);
  const both = await say("node remove n-here --purge --keep-workloads --yes");
  assert.match(both.err, /'--keep-workloads' cannot be used with option '--purge'/);
  const nobody = await say("node remove n-here --purge");
  const question = "Remove node n-here (press) from the fleet? It must enrol anew to come back.";
  assert.deepEqual(nobody, {
    code: 3,
    out: "",
    err: `${plan}error: ${question} Nobody is here to ask: say --yes\n`,
  });
  const no = await say("node remove press --purge", { asks: true, confirm: async () => false });
  assert.equal(no.code, 9);
  const far = await say("node decommission --purge --yes --node n-here");
  assert.match(far.err, /this works at the node itself: say --local there/);
  assert.deepEqual(asked, []);

  const done = await say("node remove n-here --purge --yes");
  assert.equal(
    done.out,
    "removed container/edge-1-plc1\nnode n-here is out of the fleet, and its workloads are removed\n",
  );
  const away = await say("node remove n-away --keep-workloads --yes");
  assert.match(away.err, /^the node is away: when it dials, it is told to leave; its workloads go on\n/);
  assert.match(
    away.out,
    /Its own half is outstanding: it forgets this hub when it dials; its workloads go on\n$/,
  );
  await say("node remove n-away --only-here --yes");
  assert.deepEqual(
    asked.map(({ id, workloads, onlyHere }) => [id, workloads, onlyHere]),
    [
      ["n-here", LeftWorkloads.PURGE, false],
      ["n-away", LeftWorkloads.KEEP, false],
      ["n-away", LeftWorkloads.KEEP, true],
    ],
  );

  const alone = ["node", "decommission", "--purge", "--yes", "--socket", "daemon.sock"];
  const left = await ask(alone, { folder: folder.path });
  assert.ok(left.err.startsWith(plan), left.err);
  assert.equal(
    left.out,
    "this node is out of service; its hub is not told: there, `orchestrator node remove n-here --only-here`\n",
  );
});
