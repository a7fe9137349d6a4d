/**
 * A mirror of releases: serves the files of a folder over HTTPS, with the key and certificate that it finds there. A program,
 * because it runs in another network than the test: `releases.ts HOST PORT FOLDER`.
 */
import { createReadStream, readFileSync } from "node:fs";
import { createServer } from "node:https";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";

const [host, port, folder = ""] = process.argv.slice(2);
const read = (name: string) => readFileSync(join(folder, name));
const server = createServer({ key: read("key.pem"), cert: read("certificate.pem") }, (request, response) => {
  pipeline(createReadStream(join(folder, basename(request.url ?? ""))), response).catch(() =>
    response.destroy(),
  );
});
server.listen(Number(port), host, () => console.log("serving"));
