import { once } from "node:events";
import { createServer } from "node:http";
import { isIP } from "node:net";
import type { Registry } from "prom-client";
import * as v from "valibot";
import { listen as listenOn } from "../base/listen.ts";
import type { Logger } from "../base/log.ts";
import { isHostPort, optional } from "../base/setting-kinds.ts";
import type { Setting } from "../base/settings.ts";
import type { Figure } from "./figures.ts";
import { version } from "./version.ts";

/** The setting that says where a program's figures are read. */
export function metricsListen(whose: string): Setting<string | undefined> {
  return optional<string>({
    schema: v.pipe(v.string(), v.check(isHostPort)),
    doc: `Address and port where Prometheus reads ${whose} figures, as plain HTTP at /metrics; nothing listens when not set.`,
    allowed: "address:port, as in 127.0.0.1:9464",
  });
}

export interface FiguresPageOptions {
  /** `address:port`. */
  listen: string;
  /** The setting that said so, for the sentences. */
  setting: string;
  figures: readonly Figure[];
  log: Logger;
}

export interface FiguresPage extends AsyncDisposable {
  readonly port: number;
}

/**
 * Serves the figures, with those of Node and of the process, to whoever asks: nothing secret is among them, and nobody is asked
 * who he is, so the address should be one of this machine. The library that writes the page is loaded here and now, so that
 * a program without a page does without it.
 * @throws {Failure} conflict: the port is taken. denied, invalid: this user, or this machine, cannot have it.
 */
export async function serveFigures({
  listen,
  setting,
  figures,
  log,
}: FiguresPageOptions): Promise<FiguresPage> {
  const page = await registryOf(figures);
  const [, host = "", port = ""] = /^(.+):(\d+)$/.exec(listen) ?? [];
  const address = host.replace(/^\[(.+)\]$/, "$1");
  if (!isLoopback(address)) {
    log.warn({ listen }, "figures are readable from other machines, without a password");
  }
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url?.split("?", 1)[0] !== "/metrics") {
      response.writeHead(404, { "content-type": "text/plain" }).end("figures are at /metrics\n");
      return;
    }
    page.metrics().then(
      (text) => response.writeHead(200, { "content-type": page.contentType }).end(text),
      (error: unknown) => {
        log.warn({ error }, "figures could not be read");
        response.writeHead(503).end();
      },
    );
  });
  const bound = await listenOn(server, {
    ...{ host: address, port: Number(port) },
    settings: { host: setting, port: setting },
  });
  return {
    port: bound,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      page.clear();
    },
  };
}

async function registryOf(figures: readonly Figure[]): Promise<Registry> {
  const { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } = (await import("prom-client"))
    .default;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    ...{ name: "orchestrator_build_info", help: "1, with the program's version", registers },
    labelNames: ["version"],
  }).set({ version }, 1);
  for (const figure of figures) {
    const { name, help, labels: labelNames = [] } = figure;
    if (figure.kind === "histogram") {
      const { bounds } = figure;
      const histogram = new Histogram({ name, help, registers, labelNames, buckets: [...bounds] });
      figure.follow((seconds, labels) => histogram.observe(labels, seconds));
      continue;
    }
    const { read } = figure;
    const Metric = figure.kind === "gauge" ? Gauge : Counter;
    const metric = new Metric({
      ...{ name, help, registers, labelNames },
      async collect() {
        const readings = await read();
        metric.reset();
        for (const { labels = {}, value } of readings) metric.inc(labels, value);
      },
    });
  }
  return registry;
}

function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}
