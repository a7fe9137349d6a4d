import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { join } from "node:path";
import { tempFolder } from "../fixtures/folder.ts";

/**
 * What the proxy does with a request: hands it on; answers 500 and asks nobody; lets the engine do the work and answers 500
 * all the same; lets it do the work and breaks the connection off; takes it and never answers.
 */
export type Fate = "pass" | "fail-instead" | "fail-afterwards" | "break-afterwards" | "hang";

/** A request in short, without the API's version: `POST /containers/create`. */
export type Decide = (line: string) => Fate;

export interface EngineProxy extends AsyncDisposable {
  socketPath: string;
  /** Decides from now on. */
  decide: Decide;
  /** Requests so far, in order. */
  readonly seen: readonly string[];
}

/** A socket in front of a real engine, on which things go wrong as they do in the field. */
export async function engineProxy(engineSocket: string, decide: Decide = () => "pass"): Promise<EngineProxy> {
  const folder = tempFolder();
  const socketPath = join(folder.path, "docker.sock");
  const seen: string[] = [];
  const server = createServer((incoming, answer) => {
    const line = `${incoming.method} ${(incoming.url ?? "").replace(/^\/v[\d.]+/, "").replace(/\?.*/, "")}`;
    seen.push(line);
    const fate = proxy.decide(line);
    if (fate === "fail-instead") fail(answer);
    else if (fate !== "hang") handOn(engineSocket, incoming, answer, fate);
  });
  const proxy: EngineProxy = {
    ...{ socketPath, decide, seen },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      folder[Symbol.dispose]();
    },
  };
  server.listen(socketPath);
  await once(server, "listening");
  return proxy;
}

function handOn(socketPath: string, incoming: IncomingMessage, answer: ServerResponse, fate: Fate): void {
  const { method, url: path, headers } = incoming;
  const onward = request({ socketPath, method, path, headers }, (said) => {
    if (fate === "pass") {
      answer.writeHead(said.statusCode ?? 500, said.headers);
      answer.flushHeaders(); // Events begin with headers and nothing else for a long time.
      said.pipe(answer);
      return;
    }
    said.resume().once("end", () => {
      if (fate === "break-afterwards") answer.destroy();
      else fail(answer);
    });
  });
  onward.once("error", () => answer.destroy());
  answer.once("close", () => onward.destroy());
  incoming.pipe(onward);
}

function fail(answer: ServerResponse): void {
  answer.writeHead(500, { "content-type": "application/json" }).end('{"message":"a hiccup"}');
}
