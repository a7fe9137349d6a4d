import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newKey } from "./cipher.ts";
import { type KeySource, noKey } from "./key-source.ts";

/** The TPM with the kernel's resource manager: the bare one runs out of slots. */
const usualDevice = "/dev/tpmrm0";
const timeoutMs = 20_000;

/**
 * A key that the machine's TPM encrypted, and opens for this machine only, by the programs of tpm2-tools. What it made stands in
 * the vault's own file; on the way the key is in pipes, never in a file.
 */
export function tpmKeys(device = usualDevice): KeySource {
  return {
    async make() {
      const key = newKey();
      const note = await inFolder(device, async (folder) => {
        const { primary, pub, priv } = filesIn(folder);
        await primaryAt(primary);
        await tool("tpm2_create", ["-Q", "-C", primary, "-i", "-", "-u", pub, "-r", priv], key);
        const texts = await Promise.all([readFile(pub, "base64"), readFile(priv, "base64")]);
        return { source: "tpm" as const, public: texts[0], private: texts[1] };
      });
      return { key, note };
    },
    async find(note) {
      if (note.source !== "tpm") return [];
      return await inFolder(device, async (folder) => {
        const { primary, pub, priv, loaded } = filesIn(folder);
        await writeFile(pub, Buffer.from(note.public, "base64"));
        await writeFile(priv, Buffer.from(note.private, "base64"));
        await primaryAt(primary);
        await tool("tpm2_load", ["-Q", "-C", primary, "-u", pub, "-r", priv, "-c", loaded]);
        return [await tool("tpm2_unseal", ["-Q", "-c", loaded])];
      });
    },
    settle: () => Promise.resolve(),
  };
}

/** The same key of the same TPM each time: nothing of it is kept in the TPM. */
async function primaryAt(path: string): Promise<void> {
  await tool("tpm2_createprimary", ["-Q", "-C", "o", "-g", "sha256", "-G", "ecc", "-c", path]);
}

async function inFolder<T>(device: string, work: (folder: string) => Promise<T>): Promise<T> {
  if (!(await stat(device).catch(() => undefined))) {
    throw noKey(`this machine has no TPM (${device} is not there): choose another credentials.key_source`);
  }
  const folder = await mkdtemp(join(tmpdir(), "orchestrator-tpm-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function filesIn(folder: string) {
  const at = (name: string) => join(folder, name);
  return { primary: at("primary"), pub: at("pub"), priv: at("priv"), loaded: at("loaded") };
}

/** Runs one of the tools; what it writes is the answer. */
function tool(name: string, args: readonly string[], input?: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, { stdio: ["pipe", "pipe", "pipe"], timeout: timeoutMs });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
    child.stderr.on("data", (bytes: Buffer) => err.push(bytes));
    child.stdin.on("error", () => {}); // It ended without reading; its exit says why.
    child.on("error", (cause) =>
      reject(noKey(`${name} cannot be started: install the package tpm2-tools`, cause)),
    );
    child.on("close", (code) => {
      if (code === 0) return resolve(Buffer.concat(out));
      const lines = Buffer.concat(err).toString().split("\n");
      const said = lines.find((line) => line.startsWith("ERROR: ")) ?? lines[0] ?? "";
      reject(
        noKey(
          `the TPM refuses (${name}: ${said.slice(0, 200)}): was it cleared, or is this another machine?`,
        ),
      );
    });
    child.stdin.end(input);
  });
}
