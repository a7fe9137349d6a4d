/** The CLI's part of credentials and language models, against a daemon's socket: what leaves it, and what people read. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { compactDecrypt, decodeProtectedHeader } from "jose";
import {
  CredentialSchema,
  Credentials,
  type SetCredentialRequest,
  SetOnly,
} from "../../gen/edge/v1/credentials_pb.ts";
import { Gateway, LlmApi } from "../../gen/edge/v1/gateway_pb.ts";
import { readHidden } from "../../src/cli/hidden-input.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ask } from "./ask.ts";
import { standInDaemon } from "./stand-in.ts";

const { publicKey, privateKey } = generateKeyPairSync("x25519");

test("a value leaves the CLI sealed for its name, from a file, a pipe or a terminal, and never from the command line", async () => {
  using folder = tempFolder();
  const socket = join(folder.path, "daemon.sock");
  const taken: SetCredentialRequest[] = [];
  await using _daemon = await standInDaemon(socket, (router) => {
    router.service(Credentials, {
      getSealingKey: () => ({ jwk: JSON.stringify(publicKey.export({ format: "jwk" })), keySource: "file" }),
      setCredential: (request) => {
        taken.push(request);
        const { name, expiresAt } = request;
        return {
          credential: create(CredentialSchema, {
            name,
            revision: taken.length,
            ...(expiresAt && { expiresAt }),
          }),
        };
      },
      listCredentials: () => ({
        credentials: [
          {
            name: "openai",
            revision: 2,
            uses: 7n,
            agents: ["poet"],
            description: "for poets",
            updatedAt: timestampFromMs(Date.now()),
          },
        ],
      }),
      rotateVaultKey: () => ({ credentials: 1 }),
    });
    router.service(Gateway, {
      listModels: () => ({
        models: [
          {
            alias: "large",
            provider: "cloud",
            api: LlmApi.OPENAI,
            model: "m",
            url: "https://x",
            inputCostMicros: 2_500_000n,
          },
        ],
      }),
      getLlmUsage: () => ({
        usage: [
          {
            day: "2026-11-21",
            agent: "poet",
            alias: "large",
            requests: 2n,
            inputTokens: 5n,
            outputTokens: 7n,
            costMicros: 83n,
          },
        ],
      }),
    });
  });
  const run = (args: string[], value = "") =>
    ask([...args, "--socket", socket], {
      folder: folder.path,
      terminal: { input: () => Promise.resolve(Buffer.from(value)) },
    });
  const opened = async (sealed: string) =>
    Buffer.from((await compactDecrypt(sealed, privateKey)).plaintext).toString();
  const last = () => taken.at(-1) ?? assert.fail();

  assert.match(
    (await run(["credential", "set", "openai", "--expires-in", "1h"], "sk-1\r\n")).out,
    /^credential openai is kept, and is lent until \d{4}-/,
  );
  assert.deepEqual(decodeProtectedHeader(last().sealed)["edge-credential"], "openai");
  assert.equal(await opened(last().sealed), "sk-1");
  await run(["credential", "set", "openai", "--exact", "--label", "team=a"], "sk-2\n");
  assert.deepEqual([await opened(last().sealed), last().labels[0]?.value], ["sk-2\n", "a"]);
  const pem = "-----BEGIN-----\nabc\n-----END-----\n";
  writeFileSync(join(folder.path, "key.pem"), pem);
  const rotated = await run(["credential", "rotate", "openai", "--from-file", "key.pem"]);
  assert.equal(rotated.out, "credential openai has a new value, its revision 3\n");
  assert.deepEqual([await opened(last().sealed), last().only], [pem, SetOnly.REPLACE]);
  const sealed = JSON.parse((await run(["credential", "seal", "other"], "abc")).out) as {
    name: string;
    sealed: string;
  };
  assert.deepEqual([sealed.name, await opened(sealed.sealed), taken.length], ["other", "abc", 3]);
  assert.match((await run(["credential", "set", "openai"], "\n")).err, /the value is empty/);
  assert.match((await run(["credential", "set", "openai", "sk-3"])).err, /too many arguments/);
  assert.match((await run(["credential", "list"])).out, /^openai +2 .* 7 .*poet +for poets$/m);
  assert.equal(
    (await run(["credential", "rotate-key"])).out,
    "the vault has a new key; it holds 1 credential\n",
  );
  assert.match((await run(["llm", "models"])).out, /^large +cloud +openai +m +https:\/\/x +- +2\.5 +0$/m);
  assert.match(
    (await run(["llm", "usage", "--since", "7d"])).out,
    /^2026-11-21 +poet +large +2 +0 +5 +7 +0\.000083$/m,
  );
});

test("what is typed is not shown; it can be mended, and called off", async () => {
  const raw: boolean[] = [];
  const type = async (keys: string) => {
    const stdin = Object.assign(new PassThrough(), { setRawMode: (mode: boolean) => void raw.push(mode) });
    const stderr = new PassThrough();
    const line = readHidden("Value: ", { stdin, stderr }, new AbortController().signal);
    stdin.write(keys);
    try {
      return Buffer.from(await line).toString();
    } finally {
      assert.equal(String(stderr.read()), "Value: \n");
    }
  };
  assert.equal(await type("secrex\u007ft\r"), "secret");
  assert.equal(await type("all wrong\u0015right\n"), "right");
  await assert.rejects(type("half\u0003"), { kind: "cancelled" });
  assert.deepEqual(raw, [true, false, true, false, true, false], "the terminal is put back each time");
});
