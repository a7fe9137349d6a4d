import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { writeWhole } from "../../base/files.ts";
import type { Logger } from "../../base/log.ts";
import { issueServer } from "./issue.ts";
import type { Authority } from "./issuer.ts";

/** What a listener of the hub shows: PEM texts for `tls.createSecureContext`. */
export interface ServerIdentity {
  readonly key: string;
  /** The certificate, then all up to and including the root: a node compares the root with the pin in its token. */
  readonly cert: string;
  /** Wall time, milliseconds. */
  readonly expiresAt: number;
}

const validMs = 90 * 24 * 3_600_000;
/** A certificate is made anew when a third of its time is left, which is a month to notice that it was not. */
const renewBeforeMs = validMs / 3;
/** How often a running hub looks; the wait is short, so that a clock that is set does not matter. */
const lookEveryMs = 3_600_000;

/** The hub's own certificate, for both of its listeners: kept in a folder, and made anew in time. */
export class ServerCertificate {
  #authority: Authority;
  readonly #folder: string;
  readonly #names: readonly string[];
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #listeners = new Set<(identity: ServerIdentity) => void>();
  #current: ServerIdentity;

  private constructor(options: ServerCertificateOptions, current: ServerIdentity) {
    this.#authority = options.authority;
    this.#folder = options.folder;
    this.#names = options.names;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#current = current;
  }

  /** Takes up the certificate in `folder` when it still fits authority, names and time; else makes one. */
  static async open(options: ServerCertificateOptions): Promise<ServerCertificate> {
    const { authority, folder, names, clock } = options;
    const kept = await read(folder, authority, names, clock.now());
    return new ServerCertificate(options, kept ?? (await make(folder, authority, names, clock.now())));
  }

  /** The certificate that a listener shows now. */
  get current(): ServerIdentity {
    return this.#current;
  }

  /** Calls `listener` with each new certificate until the returned function is called. */
  onChange(listener: (identity: ServerIdentity) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes a new certificate whenever the present one is due, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.renewIfDue().catch((error: unknown) => {
        this.#log.error({ error }, "the hub's own certificate could not be made anew; it is tried again");
      });
      await this.#clock.sleep(lookEveryMs, signal).catch((thrown: unknown) => {
        if (!signal.aborted) throw thrown;
      });
    }
  }

  /** Shows a certificate of this authority from now on. */
  async use(authority: Authority): Promise<void> {
    if (authority.rootPem === this.#authority.rootPem) return;
    this.#authority = authority;
    await this.#renew();
  }

  /** Makes a new certificate if the present one is due, and tells the listeners. */
  async renewIfDue(): Promise<boolean> {
    const isOfRoot = this.#current.cert.endsWith(this.#authority.rootPem);
    if (isOfRoot && !isDue(this.#current.expiresAt, this.#clock.now())) return false;
    await this.#renew();
    return true;
  }

  async #renew(): Promise<void> {
    this.#current = await make(this.#folder, this.#authority, this.#names, this.#clock.now());
    for (const listener of [...this.#listeners]) listener(this.#current);
  }
}

export interface ServerCertificateOptions {
  authority: Authority;
  folder: string;
  /** Host names and addresses by which the hub is reached. */
  names: readonly string[];
  clock: Clock;
  log: Logger;
}

/** The names of a hub's certificate: what it advertises, this machine's name, and the ways to reach it from itself. */
export function serverNames(advertised: readonly string[], hostName: string): string[] {
  const bare = [...advertised, hostName, "localhost", "127.0.0.1", "::1"].map((name) =>
    name.replace(/^\[(.*)\]$/, "$1").toLowerCase(),
  );
  return [...new Set(bare)].filter((name) => name !== "");
}

function isDue(expiresAt: number, at: number): boolean {
  return expiresAt - at < renewBeforeMs;
}

const keyFile = "server.key";
const certificateFile = "server.pem";

async function make(
  folder: string,
  authority: Authority,
  names: readonly string[],
  at: number,
): Promise<ServerIdentity> {
  const { keyPem, certificatePem, expiresAt } = await issueServer(authority, { names, at, validMs });
  const cert = certificatePem + authority.intermediatesPem + authority.rootPem;
  await writeWhole(join(folder, keyFile), keyPem, 0o600);
  await writeWhole(join(folder, certificateFile), cert, 0o644);
  return { key: keyPem, cert, expiresAt };
}

/** The certificate in the folder, if it can go on: whatever is wrong with it, a new one is the answer. */
async function read(
  folder: string,
  authority: Authority,
  names: readonly string[],
  at: number,
): Promise<ServerIdentity | undefined> {
  try {
    const key = await readFile(join(folder, keyFile), "utf8");
    const cert = await readFile(join(folder, certificateFile), "utf8");
    const certificate = new X509Certificate(cert);
    const expiresAt = certificate.validToDate.getTime();
    const fits =
      certificate.checkPrivateKey(createPrivateKey(key)) &&
      cert.endsWith(authority.intermediatesPem + authority.rootPem) &&
      names.every(
        (name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined,
      ) &&
      certificate.validFromDate.getTime() <= at &&
      !isDue(expiresAt, at);
    return fits ? { key, cert, expiresAt } : undefined;
  } catch {
    return undefined;
  }
}
