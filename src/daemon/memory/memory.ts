import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { StateSetAsideSchema } from "../../../gen/edge/v1/events_pb.ts";
import {
  type ForgetMemoryRequest,
  type MemoryEntry,
  type MemoryGroup,
  type SearchMemoryRequest,
  type SearchMemoryResponse,
  SearchMemoryResponseSchema,
  type StoreMemoryRequest,
} from "../../../gen/edge/v1/memory_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { failure, invalidField } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { formatBytes } from "../../base/quantity.ts";
import { Sql } from "../../base/sql.ts";
import type { Journal } from "../journal/index.ts";
import { checkDimension, type Embed, toBlob } from "./embedding.ts";
import { extensionPath } from "./extension.ts";
import type { MemorySettings } from "./memory-settings.ts";
import { sizeOf, toEntries, toEntry, toGroup } from "./message.ts";
import { fold, type Group, MemoryStore, schema } from "./store.ts";
import { groupFor, mayUse, type Who } from "./who.ts";

export interface MemoryOptions {
  /** The file of all memories. */
  path: string;
  journal: Pick<Journal, "record">;
  clock: Clock;
  log: Logger;
  settings: MemorySettings;
  embed: Embed;
}

/**
 * The memories of the node. Their file is opened with the first use: how large it is holds up nothing that should run, and what is
 * wrong with it harms nothing else.
 */
export class Memory implements Disposable {
  readonly #options: MemoryOptions;
  #opened: { sql: Sql; store: MemoryStore } | undefined;
  /** Takes effect with the next store. */
  settings: MemorySettings;

  private constructor(options: MemoryOptions) {
    this.#options = options;
    this.settings = options.settings;
  }

  static open(options: MemoryOptions): Memory {
    return new Memory(options);
  }

  /** `id` is what it will be called: the same again is the same memory. */
  async store(who: Who, request: StoreMemoryRequest, id: string, signal: AbortSignal): Promise<MemoryEntry> {
    const group = groupFor(who, request.group);
    const { text, attributes } = request;
    const known = this.#store.get(id);
    if (known?.group === group) return toEntry(known);
    const ask = { embedding: request.embedding, alias: request.embedWith, text };
    const embedding = await this.#embedding(who, ask, signal);
    const one = {
      ...{ id, group, text, at: this.#options.clock.now() },
      attributes: attributes.map(({ key, value }) => ({ key, value })),
      ...(who.is === "agent" ? { agent: who.name, taskId: who.taskId } : { agent: "", taskId: "" }),
    };
    const sizeBytes = sizeOf(one) + (embedding?.length ?? 0);
    this.#store.atomically(() => {
      this.#checkRoom(this.#store.group(group), sizeBytes);
      if (embedding) checkDimension(group, this.#store.group(group).dimension, embedding, "embedding");
      this.#store.add(one, sizeBytes, embedding);
    });
    return toEntry(one);
  }

  async search(who: Who, request: SearchMemoryRequest, signal: AbortSignal): Promise<SearchMemoryResponse> {
    const { text, attributes, minSimilarity, embedWith, embedText } = request;
    const group = groupFor(who, request.group);
    const limit = request.limit || 10;
    if ((embedWith === "") !== (embedText === "")) {
      throw invalidField(
        "embed_text",
        "and embed_with belong together: what is searched for, and by which model",
      );
    }
    const ask = { embedding: request.embedding, alias: embedWith, text: embedText };
    const embedding = await this.#embedding(who, ask, signal);
    const filter = { group, attributes, folded: fold(text) };
    if (!embedding) {
      const entries = toEntries(this.#store.newest(filter, limit));
      return create(SearchMemoryResponseSchema, { entries, searched: this.#store.count(filter) });
    }
    checkDimension(group, this.#store.group(group).dimension, embedding, "embedding");
    const nearest = this.#store.nearest(embedding, filter, limit);
    const near =
      minSimilarity === 0 ? nearest : nearest.filter(({ similarity }) => similarity >= minSimilarity);
    const searched = this.#store.count({ ...filter, isEmbedded: true });
    return create(SearchMemoryResponseSchema, { entries: toEntries(near), searched });
  }

  /** @returns how many were forgotten. */
  forget(who: Who, { group: asked, ids, attributes, before, all }: ForgetMemoryRequest): number {
    const group = groupFor(who, asked);
    if (ids.length === 0 && attributes.length === 0 && !before && !all) {
      throw failure(
        "invalid",
        "say which memories are to be forgotten: ids, attributes, before, or all of the group",
      );
    }
    const beforeMs = before && timestampMs(before);
    const which = { group, attributes, beforeMs, ...(ids.length > 0 && { ids }) };
    return this.#store.atomically(() => this.#store.remove(which));
  }

  groups(who: Who): MemoryGroup[] {
    return this.#store
      .groups()
      .filter(({ name }) => mayUse(who, name))
      .map(toGroup);
  }

  [Symbol.dispose](): void {
    this.#opened?.sql[Symbol.dispose]();
    this.#opened = undefined;
  }

  get #store(): MemoryStore {
    this.#opened ??= this.#open();
    return this.#opened.store;
  }

  #open(): { sql: Sql; store: MemoryStore } {
    const { path, clock, log, journal } = this.#options;
    const sql = Sql.open(path, [schema], clock.now, { extension: extensionPath() });
    if (sql.setAside) {
      log.error({ ...sql.setAside }, "the memories could not be read and were set aside");
      const value = create(StateSetAsideSchema, sql.setAside);
      journal.record({ case: "stateSetAside", value }, { reason: "the memories could not be read" });
    }
    return { sql, store: new MemoryStore(sql) };
  }

  async #embedding(
    who: Who,
    { embedding, alias, text }: { embedding: readonly number[]; alias: string; text: string },
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    if (embedding.length > 0 || alias === "") return toBlob(embedding, "embedding");
    const by = who.is === "agent" ? { agent: who.name, taskId: who.taskId } : { agent: "", taskId: "" };
    return toBlob(await this.#options.embed({ alias, text, ...by }, signal), "embed_with");
  }

  /** @throws {Failure} exhausted. */
  #checkRoom({ name, entries }: Group, sizeBytes: number): void {
    const { entriesPerGroup, maxBytes } = this.settings;
    const next = "forget some with `orchestrator memory forget`";
    if (entries >= entriesPerGroup) {
      throw failure(
        "exhausted",
        `group ${name} has ${entries} memories, and memory.entries_per_group allows ${entriesPerGroup}: ${next}`,
      );
    }
    if (this.#store.sizeBytes + sizeBytes > maxBytes) {
      throw failure(
        "exhausted",
        `the node's memories are ${formatBytes(maxBytes)} long, which memory.max_size allows: ${next}`,
      );
    }
  }
}
