/**
 * The sample runtime: a small program that speaks the OpenPLC v4 runtime's REST interface, so that everything around a
 * runtime can be tried and tested without the real image. See README.md for what differs from the real one.
 *
 *   node openplc-sample.js            serves https on port 8443
 *   node openplc-sample.js --health   exits 0 when a server answers on this machine (for the image's health check)
 */
import { mkdir } from "node:fs/promises";
import { request } from "node:https";
import { makeCertificate } from "./certificate.ts";
import { createPlc } from "./plc.ts";
import { serve } from "./server.ts";
import { openUsers } from "./users.ts";

const port = Number(process.env.OPENPLC_PORT ?? 8443);
/** The folder that the real runtime keeps too: a volume goes here. */
const stateDir = process.env.OPENPLC_PERSISTENT_DATA_DIR ?? "/var/run/runtime";

async function run(): Promise<void> {
  await mkdir(stateDir, { recursive: true });
  const plc = createPlc(() => Date.now());
  const users = await openUsers(`${stateDir}/users.json`, (sentence) => plc.log("WARNING", sentence));
  const server = await serve({ plc, users, certificate: await makeCertificate(stateDir), port });
  console.log(`openplc sample: https on port ${server.port}, state in ${stateDir}`);

  const end = async (signal: string) => {
    console.log(`openplc sample: ${signal}, ending`);
    await server[Symbol.asyncDispose]();
    process.exit(0);
  };
  process.once("SIGTERM", (signal) => void end(signal));
  process.once("SIGINT", (signal) => void end(signal));
}

function checkHealth(): void {
  // The certificate is self-signed, and this asks only whether somebody answers.
  const asked = request(
    { port, path: "/api/version", rejectUnauthorized: false, timeout: 5000 },
    (answer) => {
      process.exit(answer.statusCode === 200 ? 0 : 1);
    },
  );
  asked.on("timeout", () => asked.destroy(new Error("no answer within 5 s")));
  asked.on("error", () => process.exit(1));
  asked.end();
}

if (process.argv.includes("--health")) checkHealth();
else await run();
