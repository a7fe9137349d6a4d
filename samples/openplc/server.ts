import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createBuilds } from "./builds.ts";
import type { Certificate } from "./certificate.ts";
import type { Plc } from "./plc.ts";
import {
  type Answer,
  type Ask,
  type Rooms,
  type Route,
  routes,
  runtimeVersion,
  unknownRoutes,
} from "./routes.ts";
import { createTokens } from "./tokens.ts";
import type { Users } from "./users.ts";

/** The largest JSON, and the largest upload, as the real one has it. */
const limitBytes = { json: 64 * 1024, multipart: 10 << 20 };

export interface Server extends AsyncDisposable {
  port: number;
}

/** Serves the interface on `port` (0: any free one). Disposing it ends open connections and returns when all is on disk. */
export async function serve(what: {
  plc: Plc;
  users: Users;
  certificate: Certificate;
  port: number;
}): Promise<Server> {
  const { plc, users } = what;
  const rooms: Rooms = { plc, users, builds: createBuilds(plc), tokens: createTokens(() => Date.now()) };
  const server = createServer({ ...what.certificate, minVersion: "TLSv1.2" }, (request, response) => {
    handle(rooms, request)
      .catch((cause: unknown): Answer => {
        what.plc.log("ERROR", `a request failed: ${String(cause)}`);
        return { code: 500, body: { msg: "Internal error" } };
      })
      .then((answer) => send(response, answer))
      .catch(() => response.destroy());
  });
  server.listen(what.port);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port, // listening on TCP, so it is an address with a port
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await Promise.all([closed, what.users.flush()]);
    },
  };
}

async function handle(rooms: Rooms, request: IncomingMessage): Promise<Answer> {
  const { pathname, searchParams: query } = new URL(request.url ?? "/", "https://runtime");
  const method = request.method ?? "GET";
  const route =
    routes[`${method} ${pathname}`] ?? (pathname.startsWith("/api/") ? unknownRoutes[method] : undefined);
  if (route === undefined) return { code: 404, body: { msg: "Not found" } };

  const caller = whoAsks(rooms, request, route);
  if ("code" in caller) return caller;
  const body = await readBody(request);
  return "code" in body
    ? body
    : await route.answer(rooms, { query, body: body.fields, file: body.file, ...caller });
}

/** The token's user, or the refusal, in the words and codes of the real runtime's token library. */
function whoAsks(
  { users, tokens }: Rooms,
  request: IncomingMessage,
  { needs }: Route,
): Answer | Pick<Ask, "user" | "token"> {
  const refused = (code: number, msg: string): Answer => ({ code, body: { msg } });
  const header = request.headers.authorization;
  if (needs === "nothing" || (header === undefined && needs === "optional"))
    return { user: undefined, token: "" };
  if (header === undefined) return refused(401, "Missing Authorization Header");
  const token = header.match(/^Bearer (\S+)$/)?.[1];
  if (token === undefined)
    return refused(422, "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'");
  const found = tokens.look(token);
  if (found === "unknown") return refused(422, "Not enough segments");
  if (found === "expired") return refused(401, "Token has expired");
  if (found === "revoked") return refused(401, "Token has been revoked");
  const user = users.list().find(({ id }) => id === found.userId);
  return user ? { user, token } : refused(401, "Token has been revoked");
}

interface Body {
  fields: Record<string, unknown>;
  file: Buffer | undefined;
}

async function readBody(request: IncomingMessage): Promise<Answer | Body> {
  const type = request.headers["content-type"] ?? "";
  const isMultipart = /^multipart\/form-data;/i.test(type);
  const bodyLimitBytes = isMultipart ? limitBytes.multipart : limitBytes.json;
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > bodyLimitBytes) return { code: 413, body: { msg: "Request too large" } };
    chunks.push(chunk);
  }
  if (sizeBytes === 0) return { fields: {}, file: undefined };
  const bytes = Buffer.concat(chunks);
  try {
    if (isMultipart) return { fields: {}, file: await filePart(bytes, type) };
    const value: unknown = JSON.parse(bytes.toString());
    if (typeof value === "object" && value !== null) return { fields: { ...value }, file: undefined };
  } catch {
    // Answered below, like JSON that is no object.
  }
  return { code: 400, body: { msg: "The body is neither a JSON object nor a form" } };
}

async function filePart(bytes: Buffer, type: string): Promise<Buffer | undefined> {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- of a sample, bounded above, and without a dependency
  const form = await new Response(bytes, { headers: { "content-type": type } }).formData();
  const part = form.get("file");
  return part instanceof File ? Buffer.from(await part.arrayBuffer()) : undefined;
}

function send(response: ServerResponse, { code, body }: Answer): void {
  response.writeHead(code, {
    "content-type": "application/json",
    "x-openplc-runtime-version": runtimeVersion,
    ...(code === 413 && { connection: "close" }),
  });
  response.end(JSON.stringify(body));
}
