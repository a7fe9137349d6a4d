import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Failure } from "../../src/base/failure.ts";
import * as kinds from "../../src/base/setting-kinds.ts";
import { loadSettings, type SettingSources } from "../../src/base/settings.ts";
import { readProgramFlags } from "../../src/base/settings-flags.ts";
import { printSettings } from "../../src/base/settings-print.ts";
import fc from "../fixtures/properties.ts";

const definitions = {
  "hub.line.port": kinds.port({ default: 7443, doc: "Port of the line." }),
  "hub.api.port": kinds.port({ default: 7444, doc: "Port of the API.", zeroAllowed: true }),
  "hub.beat_interval_ms": kinds.milliseconds({
    default: 5000,
    min: 100,
    max: 60_000,
    doc: "Time between beats.",
  }),
  "hub.advertise": kinds.hosts({ default: [], doc: "Names of the hub." }),
  "hub.password": kinds.optional(
    kinds.text({ default: "", doc: "x", pattern: /^.{8,}$/, allowed: "8 letters", secret: true }),
  ),
  "hub.open": kinds.toggle({ default: false, doc: "Whether." }),
  "log.level": kinds.oneOf(["debug", "info"], { default: "info", doc: "What is logged." }),
  "log.size": kinds.size({ default: 1024, min: 1, max: 2 ** 40, doc: "How much." }),
  "log.file": kinds.optional(kinds.path({ default: "", doc: "Where to." })),
};
const sections = ["hub", "hub.url", "log", "daemon"];

describe("settings", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "settings-"));
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  const load = (sources: Partial<SettingSources>) =>
    loadSettings(definitions, { flags: {}, env: {}, sections, ...sources });

  const file = async (content: string | Uint8Array, name = "settings.yaml") => {
    const path = join(folder, `${randomBytes(6).toString("hex")}-${name}`);
    await writeFile(path, content);
    return path;
  };

  const refusal = async (sources: Partial<SettingSources>): Promise<Failure> => {
    try {
      await load(sources);
    } catch (thrown) {
      assert.ok(thrown instanceof Failure, String(thrown));
      assert.equal(thrown.kind, "invalid");
      return thrown;
    }
    assert.fail("the settings were taken");
  };

  it("flags win over the environment, that over the file, that over defaults", async () => {
    const path = await file(
      "hub:\n  line: {port: 1}\n  api.port: 2\n  beat_interval_ms: 300\nlog:\n  level: debug\n",
    );
    const { values, origin } = await load({
      file: path,
      env: { ORCHESTRATOR_HUB_API_PORT: "3", ORCHESTRATOR_HUB_BEAT_INTERVAL_MS: "400", HOME: "/" },
      flags: { "hub-beat-interval-ms": "500", "log-file": undefined },
    });
    assert.deepEqual(
      [values["hub.line.port"], values["hub.api.port"], values["hub.beat_interval_ms"], values["log.level"]],
      [1, 3, 500, "debug"],
    );
    assert.deepEqual(origin, {
      "hub.line.port": `file ${path}`,
      "hub.api.port": "environment ORCHESTRATOR_HUB_API_PORT",
      "hub.beat_interval_ms": "flag --hub-beat-interval-ms",
      "hub.advertise": "default",
      "hub.password": "default",
      "hub.open": "default",
      "log.level": `file ${path}`,
      "log.size": "default",
      "log.file": "default",
    });
    assert.ok(Object.isFrozen(values));
  });

  it("a JSON file is read like a YAML file, and an empty one says nothing", async () => {
    const { values } = await load({
      file: await file('{"hub": {"line": {"port": 99}, "advertise": ["a", "b"]}}', "s.json"),
    });
    assert.equal(values["hub.line.port"], 99);
    assert.deepEqual(values["hub.advertise"], ["a", "b"]);
    assert.equal((await load({ file: await file("") })).values["hub.line.port"], 7443);
    assert.equal((await load({ file: await file("hub:\n  # all default\n") })).values["hub.line.port"], 7443);
  });

  it("all mistakes are told at once, each with its place and what is allowed", async () => {
    const path = await file("hub:\n  line: {prot: 1}\n  api: {port: 70000}\n  open: maybe\nwhatever: 1\n");
    const { message, violations } = await refusal({
      file: path,
      env: { ORCHESTRATOR_LOG_LEVLE: "info", ORCHESTRATOR_HUB_LINE_PORT: "12abc", ORCHESTRATOR_NOPE: "1" },
      flags: { "log-level": "loud", "hub-line-prt": "1" },
    });
    assert.deepEqual(
      violations.map(({ field, message: text }) => `${field}: ${text}`),
      [
        `hub.line.prot: is not a known setting (file ${path}); did you mean hub.line.port?`,
        `whatever: is not a known setting (file ${path}); --print-config lists the known ones`,
        "ORCHESTRATOR_LOG_LEVLE: is not a known setting in the environment; did you mean ORCHESTRATOR_LOG_LEVEL?",
        "ORCHESTRATOR_NOPE: is not a known setting in the environment; --print-config lists the known ones",
        "--hub-line-prt: is not a known setting on the command line; did you mean --hub-line-port?",
        `hub.api.port: 70000 (file ${path}) is refused: must be a port from 1 to 65535, or 0 for any free one`,
        `hub.open: "maybe" (file ${path}) is refused: must be true or false`,
        'hub.line.port: "12abc" (environment ORCHESTRATOR_HUB_LINE_PORT) is refused: must be a port from 1 to 65535',
        'log.level: "loud" (flag --log-level) is refused: must be one of debug, info',
      ],
    );
    for (const one of violations) assert.ok(message.includes(one.message));
  });

  it("what belongs to another program is left to that program", async () => {
    const path = await file("daemon: {data_dir: /x}\nhub: {url: 'https://h'}\n");
    const env = { ORCHESTRATOR_DAEMON_DATA_DIR: "/x", ORCHESTRATOR_HUB_URL: "x", ORCHESTRATOR_CONFIG: path };
    await load({ file: path, env, otherVariables: ["ORCHESTRATOR_CONFIG"] });
    assert.match((await refusal({ env })).message, /ORCHESTRATOR_CONFIG: is not a known setting/);
  });

  it("a value of the wrong kind is refused, whatever it is", async () => {
    for (const value of [
      "null",
      "[1]",
      "{a: 1}",
      "true",
      "''",
      "1.5",
      "-1",
      "0",
      "1e99",
      ".nan",
      "65536",
      "' 1'",
      "1_000",
    ]) {
      const { message } = await refusal({ file: await file(`hub: {line: {port: ${value}}}\n`) }).catch(() => {
        throw new Error(`port ${value} was taken`);
      });
      assert.match(message, /^hub\.line\.port: .* is refused: must be a port from 1 to 65535$/, value);
    }
  });

  it("a section that is a value is refused", async () => {
    assert.match(
      (await refusal({ file: await file("hub: 5\n") })).message,
      /^hub: 5 .* is a section, with keys below it$/,
    );
  });

  it("a key that stands twice is refused, also in two ways of writing", async () => {
    const twice = await refusal({ file: await file("log:\n  level: info\n  level: debug\n") });
    assert.match(twice.message, /is not valid YAML or JSON \(line 3\): Map keys must be unique/);
    const json = await refusal({ file: await file('{"log": {"level": "info"}, "log": {}}') });
    assert.match(json.message, /Map keys must be unique/);
    const dotted = await refusal({ file: await file("log: {level: info}\nlog.level: debug\n") });
    assert.match(dotted.message, /^log\.level: stands more than once/);
  });

  it("a file that is missing, a folder, a pipe, unreadable, huge or not text is refused by name", async () => {
    const missing = join(folder, "nowhere.yaml");
    assert.match(
      (await refusal({ file: missing })).message,
      new RegExp(`the settings file ${missing} is not there`),
    );
    assert.match((await refusal({ file: folder })).message, /is a folder; a file is needed$/);
    assert.match((await refusal({ file: "/dev/zero" })).message, /is not a regular file$/);
    assert.match(
      (await refusal({ file: await file("#".repeat(2 << 20)) })).message,
      /at most 1048576 are read$/,
    );
    assert.match(
      (await refusal({ file: await file(Uint8Array.of(0xff, 0xfe, 0x00)) })).message,
      /is not text in UTF-8$/,
    );
    assert.match((await refusal({ file: await file("just words") })).message, /holds "just words", not keys/);
    assert.match((await refusal({ file: await file("a: *nobody\n") })).message, /is not valid YAML|aliases/);
    assert.match(
      (await refusal({ file: await file("a: 1\n---\nb: 2\n") })).message,
      /is not valid YAML or JSON/,
    );
    assert.match(
      (await refusal({ file: await file("__proto__: {x: 1}\n") })).message,
      /__proto__\.x: is not a known setting/,
    );
  });

  it("a file that this user may not read is refused by name", async () => {
    const path = await file("log: {level: info}");
    await chmod(path, 0);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534); // Root may read everything.
    try {
      assert.match(
        (await refusal({ file: path })).message,
        /may not be read by this user: check its owner and its mode$/,
      );
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it("random bytes make one clear refusal and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        try {
          await load({ file: await file(bytes) });
        } catch (thrown) {
          assert.ok(thrown instanceof Failure, String(thrown));
          assert.equal(thrown.kind, "invalid");
          // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point.
          assert.doesNotMatch(thrown.message, /[\u0000-\u001f\u007f-\u009f]/);
        }
      }),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.json(), async (json) => {
        await load({ file: await file(json) }).catch((thrown: unknown) => {
          assert.ok(thrown instanceof Failure && thrown.kind === "invalid", String(thrown));
        });
      }),
      { numRuns: 300 },
    );
  });

  it("aliases that would fill the memory are refused", async () => {
    const lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"];
    for (let n = 1; n < 12; n++)
      lines.push(
        `a${n}: &a${n} [${Array(9)
          .fill(`*a${n - 1}`)
          .join(",")}]`,
      );
    assert.match(
      (await refusal({ file: await file(lines.join("\n")) })).message,
      /aliases that lead nowhere or to too much/,
    );
  });

  it("a secret is neither printed nor shown as evidence", async () => {
    const { message } = await refusal({ env: { ORCHESTRATOR_HUB_PASSWORD: "hunter2" } });
    assert.match(message, /^hub\.password: the value \(environment/);
    assert.doesNotMatch(message, /hunter2/);
    const loaded = await load({ env: { ORCHESTRATOR_HUB_PASSWORD: "correct horse" } });
    for (const json of [true, false]) {
      const printed = printSettings(definitions, loaded, { json });
      assert.match(printed, /\[set\]/);
      assert.doesNotMatch(printed, /correct horse/);
    }
    assert.match(
      printSettings(definitions, await load({}), { json: false }),
      /^hub\.password +\[not set\] +default$/m,
    );
  });

  it("effective values are printed with where they came from", async () => {
    const loaded = await load({ flags: { "hub-line-port": "1", "hub-advertise": "a.example, ::1" } });
    const table = printSettings(definitions, loaded, { json: false });
    assert.match(table, /^KEY +VALUE +FROM\nhub\.line\.port +1 +flag --hub-line-port$/m);
    assert.match(table, /^hub\.advertise +a\.example,::1 +flag/m);
    const json = JSON.parse(printSettings(definitions, loaded, { json: true }));
    assert.deepEqual(json["hub.line.port"], {
      value: 1,
      origin: "flag --hub-line-port",
      default: 7443,
      allowed: "a port from 1 to 65535",
      doc: "Port of the line.",
      variable: "ORCHESTRATOR_HUB_LINE_PORT",
    });
  });

  it("sizes mean exactly what they say", async () => {
    const sizes = { "2G": 2e9, "512MB": 512e6, "512Mi": 512 * 2 ** 20, "1.5KiB": 1536, "7": 7, "1 k": 1000 };
    for (const [text, bytes] of Object.entries(sizes)) {
      assert.equal((await load({ flags: { "log-size": text } })).values["log.size"], bytes, text);
    }
    for (const text of ["-1", "1e99", "12 parsecs", "", "Mi", "1.00000001k", "9999999T"]) {
      await refusal({ flags: { "log-size": text } });
    }
  });

  it("an address list takes host:port only", () => {
    for (const good of ["a:1", "hub.example.com:7443", "10.0.0.1:65535", "[::1]:7443"])
      assert.ok(kinds.isHostPort(good), good);
    for (const bad of ["a", "a:0", "a:65536", "::1:7443", "a b:1", "http://a:1", ":1", "a:", "a:1\n"]) {
      assert.ok(!kinds.isHostPort(bad), bad);
    }
  });

  it("a program's flags are read without knowing them", () => {
    const args = ["--hub-line-port", "1", "--log-level=debug", "--config", "/x", "--print-config", "--json"];
    assert.deepEqual(readProgramFlags([...args, "--token", "-", "--force"]), {
      flags: { "hub-line-port": "1", "log-level": "debug", token: "-", force: "true" },
      config: "/x",
      printConfig: true,
      json: true,
    });
    assert.throws(
      () => readProgramFlags(["--config", "--json"]),
      /--config needs the path of a file after it/,
    );
    assert.throws(() => readProgramFlags(["start"]), /"start" is not expected here: only flags are/);
  });
});
