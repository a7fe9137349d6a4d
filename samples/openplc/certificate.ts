import "reflect-metadata";
import { readFile } from "node:fs/promises";
import * as x509 from "@peculiar/x509";
import { writeWhole } from "./write-whole.ts";

const years = 100;

/** The server's key and certificate, in PEM. */
export interface Certificate {
  key: string;
  cert: string;
}

/** The certificate in `dir`, made there at the first start: P-256, self-signed, for localhost, as the real runtime's. */
export async function makeCertificate(dir: string): Promise<Certificate> {
  const file = `${dir}/tls.pem`;
  const kept = await readFile(file, "utf8").catch(() => "");
  // One file with both, written whole: a key without its certificate cannot happen.
  if (kept.includes("PRIVATE KEY") && kept.includes("BEGIN CERTIFICATE")) return { key: kept, cert: kept };

  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const notBefore = new Date();
  const notAfter = new Date(notBefore);
  notAfter.setFullYear(notBefore.getFullYear() + years);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=localhost",
    notBefore,
    notAfter,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
      ]),
    ],
  });
  const key = x509.PemConverter.encode(
    await crypto.subtle.exportKey("pkcs8", keys.privateKey),
    "PRIVATE KEY",
  );
  const pem = `${key}\n${certificate.toString("pem")}\n`;
  await writeWhole(file, pem);
  return { key: pem, cert: pem };
}
