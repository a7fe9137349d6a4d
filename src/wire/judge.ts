import { X509Certificate } from "node:crypto";
import { checkServerIdentity } from "node:tls";
import { evidence } from "../base/evidence.ts";

/** What a node holds a hub against. */
export interface Trust {
  /** The roots that it trusts, as PEM, and no others. */
  rootsPem: string;
  /** The host name or address that it dialled. */
  host: string;
  /**
   * It is this late at least, whatever the machine's clock says: when the newest certificate that the node holds was issued. Wall
   * time in milliseconds.
   */
  earliest: number;
}

/** What TLS saw: its verdict, undefined when it is content, and the certificates that were shown, that of the hub first. */
export interface Shown {
  error: string | undefined;
  chain: readonly X509Certificate[];
}

const aboutTime: ReadonlySet<string> = new Set(["CERT_NOT_YET_VALID", "CERT_HAS_EXPIRED"]);
/** What certificates for TLS servers are good for, as an object identifier. */
const serverAuth = "1.3.6.1.5.5.7.3.1";
/** Certificates between a hub's and a root. */
const deepest = 8;

/**
 * Why a hub is not believed, as the end of a sentence; undefined when it is. A machine whose clock is wrong finds it "expired" or "not yet valid": then all is looked at again but this
 * clock, by hand, because OpenSSL names one of several faults. It is enough that there is a time, not before `earliest`, at which
 * every certificate of the chain is good. decisions/0031 tells what that gives away, and to whom.
 */
export function judge({ error, chain }: Shown, { rootsPem, host, earliest }: Trust): string | undefined {
  const [leaf] = chain;
  if (!leaf) return "it shows no certificate";
  if (error !== undefined && !aboutTime.has(error)) return reasonOf(error, leaf, host);
  if (leaf.validToDate.getTime() <= earliest) {
    const ended = leaf.validToDate.toISOString();
    return `its certificate ended on ${ended}, before this node's own was issued: somebody kept it`;
  }
  if (error === undefined) return undefined;
  const path = pathOf(chain, certificatesOf(rootsPem));
  if (!path) return reasonOf("UNABLE_TO_GET_ISSUER_CERT", leaf, host);
  if (!(leaf.keyUsage ?? []).includes(serverAuth)) return reasonOf("INVALID_PURPOSE", leaf, host);
  const wrongName = checkServerIdentity(host, leaf.toLegacyObject());
  if (wrongName) return reasonOf("ERR_TLS_CERT_ALTNAME_INVALID", leaf, host);
  const from = Math.max(earliest, ...path.map(({ validFromDate }) => validFromDate.getTime()));
  const until = Math.min(...path.map(({ validToDate }) => validToDate.getTime()));
  return from < until ? undefined : "its certificate and its authority's were never good at one time";
}

/** The certificates of a PEM text, in order. */
export function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/** From the hub's certificate over those that it shows to a root of ours. */
function pathOf(
  chain: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): X509Certificate[] | undefined {
  const path = chain.slice(0, 1);
  for (let at = path[0]; at && path.length <= deepest; ) {
    const last: X509Certificate = at;
    const root = roots.find((one) => isSignedBy(last, one));
    if (root) return [...path, root];
    at = chain.find((one) => one.ca && !path.includes(one) && isSignedBy(last, one));
    if (at) path.push(at);
  }
  return undefined;
}

/** Whether one certificate was signed by another: names, key usage and signature. */
export function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function reasonOf(error: string, leaf: X509Certificate, host: string): string {
  if (error === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `its certificate is for other names than ${host}: dial the hub by a name of hub.advertise`;
  }
  if (error === "INVALID_PURPOSE") return "its certificate is none for a TLS server";
  if (/ISSUER|SELF_SIGNED|LEAF_SIGNATURE|SIGNATURE_FAILURE/.test(error)) {
    const issuer = evidence(leaf.issuer.replaceAll("\n", ", "));
    return `its certificate comes from ${issuer} (SHA-256 fingerprint ${leaf.fingerprint256}), and from no authority that this node trusts: something on the way changes TLS, it is another hub, or the hub's root was changed while the node was away, and it has to enrol anew`;
  }
  return `its certificate is not believed (${error})`;
}
