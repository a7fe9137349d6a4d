import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type AgentSpec, AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { newId } from "../../../src/base/ids.ts";
import { openLog } from "../../../src/base/log.ts";
import { Engine } from "../../../src/daemon/engine/index.ts";
import {
  type Cell,
  type CellAsk,
  type CellEnd,
  type CellIncident,
  Sandboxes,
  type SandboxesOptions,
} from "../../../src/daemon/sandbox/index.ts";
import type { EngineAddress } from "../../fixtures/engine.ts";

/** A manifest's fields, as they are given. */
export type SpecInit = Partial<Exclude<MessageInitShape<typeof AgentSpecSchema>, AgentSpec>>;

/** The room of cells on a real engine, as a daemon opens it. */
export function openRoom(
  folder: string,
  { socketPath }: Pick<EngineAddress, "socketPath">,
  { instanceId = newId("instance").slice(9), ...options }: Partial<SandboxesOptions> = {},
) {
  const engine = new Engine(`unix://${socketPath}`);
  const log = openLog({
    program: "test",
    level: process.env.ORCHESTRATOR_TEST_LOG === "info" ? "debug" : "silent",
    format: "pretty",
  });
  const tried = new Map<string, CellIncident[]>();
  const sandboxes = Sandboxes.open({
    onIncident: ({ id }, incident) => tried.set(id, [...(tried.get(id) ?? []), incident]),
    ...{
      engine,
      instanceId,
      log,
      clock: systemClock,
      random: () => 0.5,
      providers: [],
      keptFolders: [],
      ahead: 2,
    },
    ...{ folder: join(folder, "cells"), ...options },
  });
  const signal = AbortSignal.timeout(280_000); // For a whole file.
  return {
    ...{ sandboxes, engine, instanceId, signal },
    /** Makes a cell of an agent, gives it this input, and waits for its end. It is removed then. */
    async run(spec: SpecInit, input = ""): Promise<Ran> {
      const cell = await sandboxes.start(await askFor(engine, spec), signal);
      await sandboxes.give(cell, Buffer.from(input), signal);
      const end = await sandboxes.ended(cell, signal);
      const { lines } = await sandboxes.logs(cell, signal);
      await sandboxes.remove(cell, signal);
      const said = lines.map(({ text }) => text).join("\n");
      const incidents = [...(tried.get(cell.id) ?? []), ...end.incidents];
      return { cell, end, said, incidents, text: Buffer.from(end.output).toString() };
    },
    async [Symbol.asyncDispose]() {
      await sandboxes[Symbol.asyncDispose]();
      engine[Symbol.dispose]();
    },
  };
}

/** What became of a cell. */
export interface Ran {
  cell: Cell;
  end: CellEnd;
  /** What was told at once, and in the end. */
  incidents: CellIncident[];
  /** All that it wrote. */
  said: string;
  /** What it answered. */
  text: string;
}

/** Asks for a cell that is made ahead: its program starts before its input comes. */
export async function askAhead(engine: Engine, init: SpecInit): Promise<CellAsk> {
  return { ...(await askFor(engine, init)), commandId: "" };
}

/** Asks for a cell of an agent whose image the engine has. */
export async function askFor(engine: Engine, init: SpecInit): Promise<CellAsk> {
  const spec = create(AgentSpecSchema, { name: "poet", ...init });
  const image = await engine.image(spec.image, AbortSignal.timeout(10_000));
  if (!image) throw new Error(`the engine has no image ${spec.image}`);
  const { name: agent } = spec;
  return { id: newId("cell"), agent, version: 1, spec, imageId: image.id, commandId: newId("cmd") };
}
