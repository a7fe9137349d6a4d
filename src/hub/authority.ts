import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { writeWhole } from "../base/files.ts";
import type { Logger } from "../base/log.ts";
import type { HubConfig } from "./config.ts";
import {
  type FoundingAuthority,
  keepAuthority,
  mustHaveAuthority,
  openAuthority,
  Roots,
  ServerCertificate,
} from "./enrolment/index.ts";
import { type Store, storeName } from "./store/index.ts";

interface Opening {
  store: Store;
  clock: Clock;
  log: Logger;
}

/** The roots of this hub's fleet: what is in its files, and what the store says became of that. */
export async function openRoots(config: HubConfig, { store, clock, log }: Opening): Promise<Roots> {
  const founding = await ownAuthority(config, store, () => clock.now());
  const roots = await Roots.open({ store, founding, clock, log });
  await writeRoots(config, roots);
  return roots;
}

/** Clients on this machine find the roots in one place, whoever made them. */
async function writeRoots(config: HubConfig, roots: Roots): Promise<void> {
  await writeWhole(join(config["hub.data_dir"], "ca", "roots.pem"), roots.rootsPem, 0o644);
}

/** The hub's own certificate, of the root that every node trusts. */
export async function openCertificate(
  config: HubConfig,
  roots: Roots,
  { names, clock, log }: { names: readonly string[]; clock: Clock; log: Logger },
): Promise<ServerCertificate> {
  const folder = join(config["hub.data_dir"], "tls");
  const certificate = await ServerCertificate.open({ authority: roots.serving, folder, names, clock, log });
  // The certificate first: no client reads that a root has gone while the hub still shows one of it.
  roots.onChange(async () => {
    try {
      await certificate.use(roots.serving);
      await writeRoots(config, roots);
    } catch (error) {
      log.error({ error }, "the hub could not take up a change of the roots: it does when it starts again");
    }
  });
  return certificate;
}

/** The authority of this hub: its own or the operator's, and the one that it had at every start before. */
async function ownAuthority(config: HubConfig, store: Store, now: () => number): Promise<FoundingAuthority> {
  const folder = join(config["hub.data_dir"], "ca");
  const certificateFile = config["hub.ca.certificate_file"];
  const keyFile = config["hub.ca.key_file"];
  const isGiven = certificateFile !== undefined && keyFile !== undefined;
  const mustExist = await mustHaveAuthority(
    store,
    storeName(config["hub.store_url"], config["hub.data_dir"]),
  );
  const authority = await openAuthority({
    folder,
    trustDomain: config["hub.trust_domain"] ?? "",
    ...(isGiven && { given: { certificateFile, keyFile } }),
    ...(mustExist !== undefined && { mustExist }),
    now,
  });
  await keepAuthority(store, authority);
  if (isGiven) await writeWhole(join(folder, "ca.pem"), authority.rootPem, 0o644);
  return authority;
}
