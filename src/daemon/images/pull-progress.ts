/** A line of the engine's progress. */
export interface PullLine {
  status?: string;
  /** The layer's short digest. */
  id?: string;
  error?: string;
  progressDetail?: { current?: number; total?: number };
}

/** How far a pull is. */
export interface PullProgress {
  doneBytes: number;
  /** As far as known: it grows while the engine begins with further layers. */
  totalBytes: number;
  /** The rest, for people: layers that were there, and time left as soon as it can be told. */
  detail: string;
}

interface Layer {
  /** Undefined until the engine tells a size. */
  bytes: { done: number; total: number } | undefined;
  isReused: boolean;
}

/** How far something is, in one phrase. Sizes are in megabytes. */
export function farOf(doneBytes = 0, totalBytes = 0, detail = ""): string {
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  const bytes = totalBytes > 0 ? [`${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB`] : [];
  return [...bytes, ...(detail === "" ? [] : [detail])].join(", ");
}

/** The present speed is that of so many milliseconds; of less than the shortest nothing is concluded. */
const speedOverMs = { shortest: 2_000, longest: 15_000 };

/** Adds up what an engine tells of a pull's layers. */
export class PullCount {
  readonly #layers = new Map<string, Layer>();
  #marks: { atMs: number; doneBytes: number }[] = [];

  /** Takes up a line, and says how far the pull is when the line says anything of it. `atMs` is monotonic. */
  take(line: PullLine, atMs: number): PullProgress | undefined {
    if (!this.#count(line)) return undefined;
    const layers = [...this.#layers.values()];
    const sum = (of: "done" | "total") => layers.reduce((all, { bytes }) => all + (bytes?.[of] ?? 0), 0);
    const [doneBytes, totalBytes] = [sum("done"), sum("total")];
    this.#marks = this.#marks.filter((mark) => atMs - mark.atMs <= speedOverMs.longest);
    this.#marks.push({ atMs, doneBytes });
    const reused = layers.filter(({ isReused }) => isReused).length;
    const said = reused > 0 ? [`${reused} of ${layers.length} layers were there`] : [];
    const isWholeKnown = layers.every(({ bytes, isReused }) => isReused || bytes);
    const left = isWholeKnown ? this.#left(totalBytes - doneBytes) : undefined;
    return { doneBytes, totalBytes, detail: [...said, ...(left ?? [])].join(", ") };
  }

  #count({ id, status = "", progressDetail }: PullLine): boolean {
    if (id === undefined || status.startsWith("Pulling from ")) return false;
    const known = this.#layers.get(id) ?? { bytes: undefined, isReused: false };
    this.#layers.set(id, known);
    const { current, total } = progressDetail ?? {};
    if (status === "Already exists") known.isReused = true;
    else if (status === "Downloading" && current !== undefined) {
      known.bytes = { done: current, total: Math.max(total ?? 0, current) };
    } else if (status === "Download complete" || status === "Pull complete") {
      const all = known.bytes?.total ?? 0; // Small layers come without a word of their size.
      known.bytes = { done: all, total: all };
    } else return false;
    return true;
  }

  /** How long the rest takes at the present speed, when there is a rest and a speed. */
  #left(bytes: number): string[] | undefined {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (!first || !last || bytes <= 0) return undefined;
    const [tookMs, came] = [last.atMs - first.atMs, last.doneBytes - first.doneBytes];
    if (tookMs < speedOverMs.shortest || came <= 0) return undefined;
    const seconds = Math.ceil((bytes / came) * (tookMs / 1000));
    return [seconds < 100 ? `about ${seconds} s left` : `about ${Math.round(seconds / 60)} min left`];
  }
}
