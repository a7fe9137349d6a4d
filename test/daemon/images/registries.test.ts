import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { toJsonString } from "@bufbuild/protobuf";
import { EventSchema } from "../../../gen/edge/v1/events_pb.ts";
import { RuntimePhase, RuntimeSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { asFailure } from "../../../src/base/failure.ts";
import { openLog } from "../../../src/base/log.ts";
import { addBusybox, emptyLayer } from "../../../tools/layer.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { startRegistry } from "../../fixtures/registry.ts";
import { until } from "../../journeys/until.ts";
import { ask, live, newName, spec } from "../runtimes/life.ts";

const engine = await startEngine({ name: "registries" });
after(() => engine[Symbol.asyncDispose]());

for (const by of ["basic", "token"] as const) {
  test(`a registry with ${by} authentication is asked as the file says, and nothing repeats the secret`, async () => {
    using folder = tempFolder();
    const [user, right, wrong] = ["robot", "the-right-secret-7f3a", "a-wrong-secret-91bc"];
    await using registry = await startRegistry(engine, { by, user, password: right });
    const logFile = join(folder.path, "daemon.log");
    const log = openLog({ program: "test", level: "trace", format: "json", file: logFile });
    const file = join(folder.path, "registries.json");
    await using life = live(folder.path, engine.socketPath, { log });
    const layer = emptyLayer();
    await addBusybox(layer);
    const command = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"];
    await registry.add({ name: "owner/plc", tag: "1", layers: [layer], command });
    const name = newName();
    const told: string[] = [];
    const create = () => life.runtimes.create(spec(`${registry.address}/owner/plc:1`, { name }), ask());
    const refused = async (kind: string): Promise<string> => {
      const thrown = asFailure(
        await create().then(
          () => undefined,
          (reason: unknown) => reason,
        ),
      );
      assert.equal(thrown.kind, kind, thrown.message);
      told.push(thrown.message);
      return thrown.message;
    };
    const write = (entries: Record<string, string>, mode = 0o600) => {
      const auths = Object.entries(entries).map(([key, password]) => {
        return [key, { auth: Buffer.from(`${user}:${password}`).toString("base64") }] as const;
      });
      writeFileSync(file, JSON.stringify({ auths: Object.fromEntries(auths) }), { mode });
    };

    assert.ok(
      (await refused("denied")).endsWith(
        `(registry ${registry.address}, asked without credentials, since ${file} has no entry for it)`,
      ),
    );
    write({ "other.example": wrong, [registry.address]: right, [`${registry.address}/owner`]: wrong });
    assert.ok(
      (await refused("denied")).endsWith(`asked with the entry "${registry.address}/owner" of ${file})`),
    );
    write({ [registry.address]: wrong, [`${registry.address}/owner`]: right });
    const { runtime } = await create();
    assert.equal(runtime.phase, RuntimePhase.RUNNING);
    told.push(toJsonString(RuntimeSchema, runtime));
    await life.runtimes.delete(name, { keepVolume: false }, ask());

    told.push(...life.events().map((event) => toJsonString(EventSchema, event)));
    await until("the log", () => readFileSync(logFile, "utf8").includes("removeVolume"));
    told.push(readFileSync(logFile, "utf8"), readFileSync(join(folder.path, "daemon.db-wal"), "latin1"));
    for (const password of [right, wrong]) {
      for (const form of [password, Buffer.from(`${user}:${password}`).toString("base64")]) {
        assert.ok(!told.some((text) => text.includes(form)), `something repeats ${form}`);
      }
    }
  });
}
