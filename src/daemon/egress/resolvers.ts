import { openResolver, type ResolverOptions } from "./resolver.ts";

/** Resolvers by where they listen: one, but for a while after the network of cells was made anew. */
export class Resolvers implements AsyncDisposable {
  readonly #who: Pick<ResolverOptions, "knows" | "answer">;
  readonly #open = new Map<string, Promise<AsyncDisposable>>();

  constructor(who: Pick<ResolverOptions, "knows" | "answer">) {
    this.#who = who;
  }

  /** Returns when one listens there. @throws {Failure} as `openResolver`. */
  async ensure(address: string, port: number): Promise<void> {
    const at = `${address} ${port}`;
    const opening = this.#open.get(at) ?? openResolver({ address, port, ...this.#who });
    this.#open.set(at, opening);
    await opening.catch((thrown: unknown) => {
      this.#open.delete(at);
      throw thrown;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await Promise.allSettled(this.#open.values());
    for (const one of opened) if (one.status === "fulfilled") await one.value[Symbol.asyncDispose]();
  }
}
