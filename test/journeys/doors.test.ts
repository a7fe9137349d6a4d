/** The same commands by reflection and by curl, through the node's socket and through the hub. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { startWorld } from "./world.ts";

const run = promisify(execFile);
const buf = join(new URL("../..", import.meta.url).pathname, "node_modules/.bin/buf");

interface RuntimesJson {
  runtimes?: { spec: { name: string } }[];
}

test("buf curl and curl list services and create, list and delete a runtime at both doors", async (t) => {
  await using world = await startWorld();
  const spec = (name: string) =>
    JSON.stringify({ spec: { name, image: world.image, profile: "RUNTIME_PROFILE_PLAIN" } });
  const token = `authorization: Bearer ${world.adminToken()}`;
  const node = `edge-node: ${world.nodeId}`;
  const api = `https://127.0.0.1:${world.apiPort}`;

  const atSocket = async (...rest: string[]) =>
    (
      await run(buf, [
        "curl",
        "--protocol",
        "grpc",
        "--http2-prior-knowledge",
        "--unix-socket",
        world.localSocket,
        ...rest,
      ])
    ).stdout;
  const atHub = async (...rest: string[]) =>
    (
      await run(buf, [
        "curl",
        "--protocol",
        "grpc",
        "--cacert",
        world.caFile,
        "-H",
        token,
        "-H",
        node,
        "--reflect-header",
        token,
        ...rest,
      ])
    ).stdout;
  const doors = [
    { what: "the local socket", call: atSocket, base: "http://localhost" },
    { what: "the hub's API", call: atHub, base: api },
  ];
  for (const { what, call, base } of doors) {
    await t.test(`by reflection over ${what}`, async () => {
      const services = await call("--list-services", base);
      assert.match(services, /edge\.v1\.Runtimes/);
      assert.match(services, /edge\.v1\.Node/);
      assert.match(services, /grpc\.health\.v1\.Health/);
      const health = await call("-d", "{}", `${base}/grpc.health.v1.Health/Check`);
      assert.match(health, /SERVING/);
      await call("-d", spec("by-hand"), `${base}/edge.v1.Runtimes/CreateRuntime`);
      const listed = JSON.parse(
        await call("-d", "{}", `${base}/edge.v1.Runtimes/ListRuntimes`),
      ) as RuntimesJson;
      assert.deepEqual(
        listed.runtimes?.map((one) => one.spec.name),
        ["by-hand"],
      );
      await call("-d", '{"name":"by-hand"}', `${base}/edge.v1.Runtimes/DeleteRuntime`);
      assert.deepEqual(JSON.parse(await call("-d", "{}", `${base}/edge.v1.Runtimes/ListRuntimes`)), {});
    });
  }

  await t.test("by curl with JSON at the hub's API", async () => {
    const call = async (method: string, body: string) => {
      const args = [
        "-sS",
        "--cacert",
        world.caFile,
        "-H",
        token,
        "-H",
        node,
        "-H",
        "content-type: application/json",
        "-d",
        body,
      ];
      return JSON.parse(
        (await run("curl", [...args, `${api}/edge.v1.Runtimes/${method}`])).stdout,
      ) as RuntimesJson & { code?: string };
    };
    await call("CreateRuntime", spec("by-curl"));
    assert.deepEqual(
      (await call("ListRuntimes", "{}")).runtimes?.map((one) => one.spec.name),
      ["by-curl"],
    );
    await call("DeleteRuntime", '{"name":"by-curl"}');
    assert.deepEqual(await call("ListRuntimes", "{}"), {});
    assert.equal((await call("GetRuntime", '{"name":"by-curl"}')).code, "not_found");
  });
});
