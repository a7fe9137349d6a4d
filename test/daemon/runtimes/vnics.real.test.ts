import { rmSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { openLan } from "../../fixtures/lan.ts";
import { program } from "../../journeys/program.ts";
import { until } from "../../journeys/until.ts";
import { takenAddress, vnicSuite } from "./vnics.suite.ts";

await using opened = new AsyncDisposableStack();
const lan = opened.use(await openLan());
const engine = opened.use(await startEngine({ name: "vnics" }));
const folder = opened.use(tempFolder());
lan.attach(engine.netns, "eth0");
lan.host({ address: takenAddress, mac: "02:00:00:00:00:66" });
const [socket, data] = [join(folder.path, "netmon.sock"), join(folder.path, "data")];
const netmon = opened.use(
  program(["netmon", "start"], {
    under: ["nsenter", `--net=/run/netns/${engine.netns}`],
    env: {
      ORCHESTRATOR_NETMON_SOCKET: socket,
      ORCHESTRATOR_NETMON_DATA_DIR: data,
      ORCHESTRATOR_NETMON_SETTLE_MS: "100",
    },
  }),
);
let lives = 0;
const startNetmon = async () => {
  netmon.start();
  lives++;
  await until("netmon is up", () => netmon.output().split("netmon is up").length > lives);
};
await startNetmon();
const owned = opened.move();
after(() => owned.disposeAsync());

await vnicSuite({
  ...{ engine, socket, startNetmon },
  killNetmon: () => netmon.kill9(),
  wipeNetmon: () => rmSync(data, { recursive: true, force: true }),
});
