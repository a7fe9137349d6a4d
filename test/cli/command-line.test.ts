import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { tempFolder } from "../fixtures/folder.ts";
import { ask } from "./ask.ts";

const create = ["runtime", "create", "plc1", "--image", "busybox:1"];
const sizes = "a size such as 1048576, 512MB (512,000,000 bytes), 2G (2,000,000,000) or 512Mi (536,870,912)";

test("a mistyped command line exits with 2 and says what was meant or what is allowed", async (t) => {
  using folder = tempFolder();
  const cases: [string[], string][] = [
    [["runtim", "list"], "unknown command 'runtim'\n(Did you mean runtime?)"],
    [["runtime", "lst"], "unknown command 'lst'\n(Did you mean list?)"],
    [["daemon", "strat"], "unknown command 'strat'\n(Did you mean start?)"],
    [["node", "list", "--jsn"], "unknown option '--jsn'\n(Did you mean --json?)"],
    [["runtime", "get"], "missing required argument 'runtime'"],
    [["runtime", "create", "plc1"], "required option '--image <reference>' not specified"],
    [[...create, "--memory", "-1"], `"-1" is not ${sizes}`],
    [[...create, "--memory", "1e99"], `"1e99" is not ${sizes}`],
    [[...create, "--memory", "12 parsecs"], `"12 parsecs" is not ${sizes}`],
    [[...create, "--memory", "0"], `"0" is not ${sizes}`],
    [
      [...create, "--publish", "99999"],
      "it must be the node's port, a colon and the runtime's port, as in 18443:8443",
    ],
    [[...create, "--env", "=x"], "it must be a name, an equals sign and a value, as in MODE=test"],
    [[...create, "--profile", "soft"], "Allowed choices are openplc, plain."],
    [
      ["node", "metrics", "--since", "yesterday"],
      '"yesterday" is not a duration such as 250ms, 30s, 5m, 2h or 7d',
    ],
    [["node", "metrics", "--points", "0"], "It must be a whole number from 1 to 10000."],
    [["runtime", "create"], "missing required argument 'name' (or --file)"],
    [[...create, "--vnic", "lan0,parnet=eth0"], '"parnet" is not a word of a vNIC; did you mean parent?\n'],
    [
      [...create, "-f", "plc1.yaml"],
      "option '-f, --file <path>' cannot be used with option '--image <reference>'",
    ],
    [["completion", "tcsh"], "Allowed choices are bash, zsh, fish."],
  ];
  for (const [args, sentence] of cases) {
    await t.test(args.join(" "), async () => {
      const { code, out, err } = await ask(args, { folder: folder.path });
      assert.equal(code, 2);
      assert.equal(out, "");
      assert.ok(err.includes(sentence), err);
    });
  }
});

test("every rule of the contract that a create breaks is told at once, before anything travels", async () => {
  using folder = tempFolder();
  const long = "x".repeat(300);
  const { code, err } = await ask(
    [
      ...["runtime", "create", `Ä /${long}`, "--image", "Busy Box", "--env", "A=1", "--env", "A=2"],
      ...["--publish", "70000:8443", "--memory", "1k", "--vnic", "lan0,parent=eth0,static=10.0.0.5"],
      ...["--vnic", "eth0,dhcp"],
    ],
    { folder: folder.path },
  );
  assert.equal(code, 3);
  const [first, ...lines] = err.trimEnd().split("\n");
  assert.equal(first, "error: this is not valid:");
  assert.deepEqual(
    lines.map((line) => line.trim().split(":")[0]),
    [
      ...[
        "spec.name",
        "spec.image",
        "spec.env[1].name",
        "spec.resources.memory_bytes",
        "spec.ports[0].node_port",
      ],
      ...["spec.vnics[0].address", "spec.vnics[1].name", "spec.vnics[1].parent"],
    ],
  );
  assert.ok(
    err.includes('spec.env[1].name: "A" is already that of spec.env[0]; each must be different'),
    err,
  );
  assert.ok(err.includes("spec.ports[0].node_port: is 70000; 1 to 65535 is allowed"), err);
});

test("where there is no hub and no daemon, the sentence says what to do", async (t) => {
  using folder = tempFolder();
  const at = folder.path;
  await t.test("no hub is named", async () => {
    const { code, err } = await ask(["node", "list"], { folder: at, env: { ORCHESTRATOR_HUB_DATA_DIR: at } });
    assert.equal(code, 7);
    assert.equal(
      err,
      `error: no hub is named and none keeps its state in ${at}: name one with --hub and --token-file, or use --local on a node\n`,
    );
  });
  await t.test("no daemon runs", async () => {
    for (const words of [
      ["runtime", "list"],
      ["task", "logs", "cmd-1", "--follow"],
    ]) {
      const { code, err } = await ask([...words, "--socket", "d.sock"], { folder: at });
      assert.equal(code, 7);
      assert.equal(
        err,
        `error: no daemon answers at ${at}/d.sock: start it with \`orchestrator daemon start\`\n`,
      );
    }
  });
  await t.test("a hub without a token", async () => {
    const { code, err } = await ask(["node", "list", "--hub", "https://hub.example.com:7444"], {
      folder: at,
    });
    assert.equal(code, 6);
    assert.equal(
      err,
      "error: no operator token for https://hub.example.com:7444: name its file with --token-file or hub.token_file\n",
    );
  });
  await t.test("a hub without TLS, to which a token would be readable on the way", async () => {
    const { code, err } = await ask(["node", "list", "--hub", "http://hub:7444"], { folder: at });
    assert.equal(code, 3);
    assert.ok(
      err.includes(
        '"http://hub:7444" (flag --hub-url) is refused: must be an address such as https://hub.example.com:7444',
      ),
      err,
    );
  });
  await t.test("nothing listens there", async () => {
    writeFileSync(join(at, "token"), "abc\n");
    const where = "https://127.0.0.1:9";
    const { code, err } = await ask(["node", "list", "--hub", where, "--token-file", "token"], {
      folder: at,
    });
    assert.equal(code, 7);
    assert.equal(err, `error: no hub answers at ${where}: is it running, and is the address right?\n`);
  });
  await t.test("a token file that holds something else", async () => {
    writeFileSync(join(at, "token"), "two words\n");
    const { code, err } = await ask(
      ["node", "list", "--hub", "https://127.0.0.1:9", "--token-file", "token"],
      {
        folder: at,
      },
    );
    assert.equal(code, 3);
    assert.equal(
      err,
      `error: ${at}/token does not hold an operator token: it must be one word on one line\n`,
    );
  });
});

test("the settings of the folder one stands in are used, unless somebody else could have put them there", async () => {
  using folder = tempFolder();
  const state = join(folder.path, ".orchestrator");
  mkdirSync(state, { mode: 0o700 });
  writeFileSync(join(state, "config.yaml"), "daemon:\n  socket: /nowhere/here.sock\n", { mode: 0o600 });
  const told = async () => (await ask(["runtime", "list", "--local"], { folder: folder.path })).err;
  assert.match(await told(), /\/nowhere\/here\.sock/);
  chmodSync(state, 0o777);
  assert.doesNotMatch(await told(), /\/nowhere\/here\.sock/);
  chmodSync(state, 0o700);
  writeFileSync(join(state, "config.yaml"), "deamon:\n  socket: /nowhere/here.sock\n", { mode: 0o600 });
  assert.match(await told(), /deamon\.socket: is not a known setting .*did you mean daemon\.socket\?/);
});
