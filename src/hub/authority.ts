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
  const folder = join(config["hub.data_dir"], "ca");
  const founding = await ownAuthority(config, store, () => clock.now());
  const roots = await Roots.open({ store, founding, clock, log });
  // Clients on this machine find the roots in one place, whoever made them.
  const tell = () => writeWhole(join(folder, "roots.pem"), roots.rootsPem, 0o644);
  await tell();
  roots.onChange(
    () => void tell().catch((error: unknown) => log.error({ error }, "roots.pem was not written")),
  );
  return roots;
}

/** The hub's own certificate, of the root that every node trusts. */
export async function openCertificate(
  config: HubConfig,
  roots: Roots,
  { names, clock, log }: { names: readonly string[]; clock: Clock; log: Logger },
): Promise<ServerCertificate> {
  const folder = join(config["hub.data_dir"], "tls");
  const certificate = await ServerCertificate.open({ authority: roots.serving, folder, names, clock });
  roots.onChange(() => {
    certificate.use(roots.serving).catch((error: unknown) => {
      log.error({ error }, "the hub's certificate of the new root could not be made");
    });
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
