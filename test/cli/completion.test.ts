import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual, promisify } from "node:util";
import { Agents } from "../../gen/edge/v1/agents_pb.ts";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { RuntimePhase, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { Tasks } from "../../gen/edge/v1/tasks_pb.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { orchestrator } from "../journeys/program.ts";
import { ask } from "./ask.ts";
import { standInDaemon } from "./stand-in.ts";

const run = promisify(execFile);

/** Sourced twice, as it happens when a shell reads its settings again; then Tab is pressed after each line of words. */
const script = `
source <(orchestrator completion bash); source <(orchestrator completion bash)
while IFS=$'\\t' read -r -a words; do
  COMP_WORDS=(orchestrator "\${words[@]}"); COMP_CWORD=\${#words[@]}
  COMP_LINE="orchestrator \${words[*]}"; COMP_LINE=\${COMP_LINE// = /=}; COMP_LINE=\${COMP_LINE// =/=}; COMP_POINT=\${#COMP_LINE}
  _orchestrator </dev/null
  echo "\${COMPREPLY[*]}"
done`;

test("bash completes nouns, verbs, flags, choices, and the names that a node knows", async () => {
  using folder = tempFolder();
  await using _daemon = await standInDaemon(join(folder.path, "d.sock"), (router) => {
    router.service(Runtimes, {
      listRuntimes: () => ({
        runtimes: ["plc1", "plc2", "other"].map((name) => ({ spec: { name }, phase: RuntimePhase.RUNNING })),
      }),
    });
    router.service(Agents, { listAgents: () => ({ agents: [{ name: "poet" }, { name: "echo" }] }) });
    router.service(Tasks, { listTasks: () => ({ tasks: [{ id: "cmd-1" }] }) });
    const interfaces = [{ name: "eth0" }, { name: "eth10" }, { name: "wlan0" }];
    router.service(Node, { getInterfaces: () => ({ interfaces }) });
  });
  const vnic = ["--socket", "d.sock", "runtime", "create", "x", "--vnic"];
  const cases: [words: string[], offered: string][] = [
    [["ru"], "runtime"],
    [["--json", "hub", "token", "r"], "revoke"],
    [["net"], "network netmon"],
    [["network", "watch", "--ne"], "--netmon-socket"],
    [["runtime", "list", "--js"], "--json"],
    [["runtime", "create", "x", "--profile", "o"], "openplc"],
    [["--socket", "d.sock", "runtime", "stop", "pl"], "plc1 plc2"],
    [["runtime", "create", "pl"], ""],
    [["--socket", "d.sock", "task", "execute", "po"], "poet"],
    [["--socket", "d.sock", "task", "list", "--parent", "cmd-"], "cmd-1"],
    [["node", "$(touch broken)"], ""],
    [[...vnic, "lan0,h"], "lan0,host-access"],
    [[...vnic, "lan0,par"], "lan0,parent="],
    // As bash cuts them.
    [[...vnic, "lan0,parent", "="], "eth0 eth10 wlan0"],
    [[...vnic, "lan0,parent", "=", "eth1"], "eth10"],
    [[...vnic, "lan0,parent", "=", "eth1,no"], "eth1,none eth1,no-default-route"],
  ];
  const wrapper = `#!/bin/sh\nexec "${process.execPath}" "${orchestrator}" "$@"\n`;
  writeFileSync(join(folder.path, "orchestrator"), wrapper, { mode: 0o755 });
  const env = { PATH: `${folder.path}:${process.env.PATH}`, HOME: folder.path };
  const press = async () => {
    const bash = run("bash", ["-c", script], { env, cwd: folder.path });
    bash.child.stdin?.end(cases.map(([words]) => `${words.join("\t")}\n`).join(""));
    const { stdout, stderr } = await bash;
    return { offered: stdout.split("\n").slice(0, -1), stderr };
  };
  const expected = cases.map(([, offered]) => offered);
  let { offered, stderr } = await press();
  // Nothing is offered of what a node does not tell within a second, which on a busy machine may be late.
  if (!isDeepStrictEqual(offered, expected)) ({ offered, stderr } = await press());
  assert.deepEqual(offered, expected, stderr);
  assert.equal(stderr, "");
  assert.equal(existsSync(join(folder.path, "broken")), false, "words are never run");
});

test("a hub that does not answer offers nothing, and says nothing", async () => {
  using folder = tempFolder();
  const seen = await ask(["complete", "--", "runtime", "get", ""], { folder: folder.path });
  assert.deepEqual(seen, { code: 0, out: "", err: "" });
});
