import type { Life } from "./life.ts";
import type { Time } from "./time.ts";

/** What travels on a link: opening it, a frame, the last word of a side, or the end of it all. */
export type Parcel =
  | { is: "open" }
  | { is: "frame"; bytes: Uint8Array }
  /** This side has nothing more to say; with an error when it ends the stream with a failure. */
  | { is: "end"; error?: Error }
  /** The connection is gone. */
  | { is: "reset" };

export interface WayOptions {
  time: Time;
  /** The program at the far end. */
  to: () => Life | undefined;
  /** How long the next parcel takes, in milliseconds. */
  delayMs: () => number;
  /** Whether nothing gets through at present. */
  isHeld: () => boolean;
  /** What goes wrong with the next frame. */
  mishap: () => Mishap;
  deliver: (parcel: Parcel) => void;
}

export type Mishap = "none" | "lost" | "doubled" | "overtaken";

/** Frames that may be under way before the writer has to wait, as the windows of HTTP/2 have it. */
const windowSize = 16;

/** One direction of a link: parcels arrive in order, late, and not while it is held. */
export class Way {
  readonly #options: WayOptions;
  readonly #parcels: { at: number; parcel: Parcel }[] = [];
  #lastAt = 0;
  #isClosed = false;
  #isFull = false;
  #onRoom: (() => void) | undefined;

  constructor(options: WayOptions) {
    this.#options = options;
  }

  get underWay(): number {
    return this.#parcels.length;
  }

  /** Sends a parcel. `onRoom` is called when there is room for the next one. */
  send(parcel: Parcel, onRoom: () => void = () => {}): void {
    if (this.#isClosed) return;
    const mishap = parcel.is === "frame" ? this.#options.mishap() : "none";
    if (mishap !== "lost") this.#enqueue(parcel, mishap === "overtaken");
    if (mishap === "doubled") this.#enqueue(parcel, false);
    if (this.#parcels.length < windowSize) onRoom();
    else this.#onRoom = onRoom;
  }

  /** Nothing more comes out of it. */
  close(): void {
    this.#isClosed = true;
    this.#parcels.length = 0;
  }

  /** The reader has no room: nothing is delivered until `pump`. */
  fill(): void {
    this.#isFull = true;
  }

  /** Delivers what is due. To be called when the reader has room again, and when the way is held no longer. */
  pump(): void {
    this.#isFull = false;
    const { time, to } = this.#options;
    const reader = to();
    if (!reader || reader.standsStill) return;
    while (!this.#isFull && !this.#options.isHeld()) {
      const next = this.#parcels[0];
      if (!next || next.at > time.now) break;
      this.#parcels.shift();
      this.#options.deliver(next.parcel);
    }
    if (this.#parcels.length >= windowSize) return;
    const onRoom = this.#onRoom;
    this.#onRoom = undefined;
    onRoom?.();
  }

  #enqueue(parcel: Parcel, overtakes: boolean): void {
    const { time, delayMs, to } = this.#options;
    this.#lastAt = Math.max(this.#lastAt, time.now + delayMs());
    const one = { at: this.#lastAt, parcel };
    const before = this.#parcels.at(-1);
    if (overtakes && before?.parcel.is === "frame") {
      this.#parcels.splice(-1, 1, { at: before.at, parcel }, { at: one.at, parcel: before.parcel });
    } else this.#parcels.push(one);
    to()?.after(this.#lastAt - time.now, () => this.#isFull || this.pump());
  }
}
