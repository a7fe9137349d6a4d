import { failure } from "../../base/failure.ts";
import { type Engine, isNotFound, reservedPrefix } from "../engine/index.ts";

/** What an image says of the containers that are made of it, as far as a cell takes it from there. */
export interface CellImage {
  entrypoint: readonly string[];
  command: readonly string[];
  /** Folders for which an engine makes volumes by itself. */
  volumes: readonly string[];
}

/** Images that are remembered: what an id means never changes. */
const remembered = 256;

/** Asks the engine what images say, once for each. */
export class CellImages {
  readonly #engine: Engine;
  readonly #known = new Map<string, CellImage>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @throws {Failure} not_found: the engine does not have it. denied: it pretends to be ours. */
  async get(imageId: string, signal: AbortSignal): Promise<CellImage> {
    const known = this.#known.get(imageId);
    if (known) return known;
    const asked = this.#engine.call("look at the image of an agent", signal, (docker) =>
      docker.getImage(imageId).inspect(),
    );
    const { Config } = await asked.catch((thrown: unknown) => {
      if (!isNotFound(thrown)) throw thrown;
      throw failure("not_found", `the engine no longer has the image ${imageId}: deploy the agent again`);
    });
    const image = toCellImage(Config);
    if (this.#known.size >= remembered) this.#known.clear();
    this.#known.set(imageId, image);
    return image;
  }
}

/** What the engine says of an image; its types say that all of it is always there. */
interface ImageConfig {
  Entrypoint?: string | string[] | undefined;
  Cmd?: string[] | null;
  Volumes?: Record<string, unknown> | null;
  Labels?: Record<string, string> | null;
}

function toCellImage({ Entrypoint, Cmd, Volumes, Labels }: ImageConfig): CellImage {
  // An image's labels become those of its containers, and by these we know what is ours.
  const ours = Object.keys(Labels ?? {}).find((key) => key.startsWith(reservedPrefix));
  if (ours !== undefined) {
    throw failure(
      "denied",
      `the image has the label ${ours}: labels that begin with ${reservedPrefix} are ours`,
    );
  }
  return {
    entrypoint: typeof Entrypoint === "string" ? [Entrypoint] : (Entrypoint ?? []),
    command: Cmd ?? [],
    volumes: Object.keys(Volumes ?? {}),
  };
}
