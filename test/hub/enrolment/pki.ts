import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { tempFolder } from "../../fixtures/folder.ts";

const run = promisify(execFile);

/** A folder of a test's own, removed with it. */
export function folder(t: { after(work: () => void): void }): string {
  const made = tempFolder();
  t.after(() => made[Symbol.dispose]());
  return made.path;
}

/** Runs openssl: a program that is not ours says whether what we made is right. */
export async function openssl(...args: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await run("openssl", args);
    return stdout + stderr;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") {
      throw new Error(
        "the openssl program is missing, which these tests judge certificates with: apt-get install openssl",
      );
    }
    if (thrown instanceof Error && "stdout" in thrown && "stderr" in thrown) {
      throw new Error(`openssl ${args[0]}: ${String(thrown.stdout)}${String(thrown.stderr)}`);
    }
    throw thrown;
  }
}

/** A signing request in DER, made by openssl. `subject` and `extension` are what a node might try to be. */
export async function requestFile(
  at: string,
  { newKey = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], subject = "/CN=whatever", extension = "" } = {},
): Promise<string> {
  const file = join(at, `${crypto.randomUUID()}.csr`);
  await openssl(
    "req",
    "-new",
    "-newkey",
    ...newKey,
    "-nodes",
    "-keyout",
    join(at, "node.key"),
    "-subj",
    subject,
    ...(extension === "" ? [] : ["-addext", extension]),
    "-outform",
    "DER",
    "-out",
    file,
  );
  return file;
}
