import { X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";

const identitySchema = v.object({
  certificatePem: v.string(),
  caPem: v.string(),
  lineAddresses: v.pipe(v.array(v.string()), v.minLength(1)),
});

/** What is public of a node's identity; undefined before enrolment. @throws {Failure} it cannot be read. */
export async function readIdentity(dataDir: string) {
  const path = join(dataDir, "identity.json");
  try {
    const { certificatePem, caPem, lineAddresses } = v.parse(
      identitySchema,
      JSON.parse(await readFile(path, "utf8")),
    );
    const certificate = new X509Certificate(certificatePem);
    const fromMs = certificate.validFromDate.getTime();
    return { fromMs, untilMs: certificate.validToDate.getTime(), caPem, address: lineAddresses[0] ?? "" };
  } catch (cause) {
    const code = systemCode(cause);
    if (code === "ENOENT") return undefined;
    if (code === "EACCES") throw failure("denied", `${path} may not be read by this user`, { cause });
    throw failure("invalid", `${path} does not hold an identity that can be used`, { cause });
  }
}

/** The copies of state files that could not be read, in these folders. A folder that is not there has none. */
export async function findSetAside(folders: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    folders.map(async (folder) => {
      try {
        const names = await readdir(folder);
        return names.filter((name) => /\.unreadable-[\dT.-]+Z$/.test(name)).map((name) => join(folder, name));
      } catch (cause) {
        if (systemCode(cause) === "ENOENT") return [];
        throw failure("denied", `${folder} may not be read by this user`, { cause });
      }
    }),
  );
  return found.flat();
}
