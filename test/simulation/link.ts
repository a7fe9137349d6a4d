import { Duplex } from "node:stream";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type HubFrame,
  HubFrameSchema,
  type NodeFrame,
  NodeFrameSchema,
  RejectCode,
} from "../../gen/edge/v1/control_pb.ts";
import type { Life } from "./life.ts";
import type { Time } from "./time.ts";
import { type Mishap, type Parcel, Way } from "./way.ts";

/** Which ways of a link nothing gets through. */
export interface Held {
  up: boolean;
  down: boolean;
}

export interface LinkOptions {
  time: Time;
  node: Life;
  /** The program that listens, if one does. */
  hub: () => Life | undefined;
  delayMs: () => number;
  mishap: () => Mishap;
  /** What holds all links of the node. */
  uplink: Held;
  /** A stream reached the hub; false when nobody listens. */
  onOpen: (link: Link) => boolean;
  /** The hub says that a newer stream took over. */
  onSuperseded: (link: Link) => void;
  trace: (what: string) => void;
}

/** Frames that a side may hold unread or unsent; grpc-js holds as many. */
const highWaterMark = 16;

/**
 * One connection with its one stream, as grpc-js would give it to both sides. What programs say is serialised, travels, and is
 * parsed. A side whose program is gone is silent; that its connection is gone, it says only where the system would.
 */
export class Link {
  readonly held: Held = { up: false, down: false };
  readonly begunAt: number;
  readonly atNode: Duplex;
  readonly atHub: Duplex;
  readonly #up: Way;
  readonly #down: Way;
  readonly node: Life;
  #hub: Life | undefined;
  #isOpenAtNode = true;
  #isOpenAtHub = false;
  /** Of the hello that was said on it. */
  epoch = 0;
  /** Most frames that waited at either side. */
  mostWaiting = 0;

  constructor(options: LinkOptions) {
    const { time, node, hub, delayMs, mishap, uplink, onSuperseded, trace } = options;
    this.begunAt = time.now;
    this.node = node;
    this.#up = new Way({
      ...{ time, delayMs, mishap },
      to: () => (this.#hub?.isOver ? undefined : (this.#hub ?? hub())),
      isHeld: () => this.held.up || uplink.up,
      deliver: (parcel) => {
        if (parcel.is === "open") this.#open(options);
        else this.#deliver(parcel, this.atHub, () => this.#isOpenAtHub);
      },
    });
    this.#down = new Way({
      ...{ time, delayMs, mishap },
      to: () => (node.isOver ? undefined : node),
      isHeld: () => this.held.down || uplink.down,
      deliver: (parcel) => this.#deliver(parcel, this.atNode, () => this.#isOpenAtNode),
    });
    this.atNode = this.#side({
      way: this.#up,
      back: this.#down,
      encode: (frame: NodeFrame) => {
        if (frame.body.case === "hello") this.epoch = Number(frame.body.value.sessionEpoch);
        trace(`says ${told(frame.body)}`);
        return toBinary(NodeFrameSchema, frame);
      },
      isOpen: () => this.#isOpenAtNode,
      life: () => node,
    });
    this.atHub = this.#side({
      way: this.#down,
      back: this.#up,
      encode: (frame: HubFrame) => {
        if (frame.body.case === "reject" && frame.body.value.code === RejectCode.SUPERSEDED)
          onSuperseded(this);
        trace(`hears ${told(frame.body)}`);
        return toBinary(HubFrameSchema, frame);
      },
      isOpen: () => this.#isOpenAtHub,
      life: () => this.#hub,
    });
    this.atNode.on("error", () => {}); // As the real `dial` does.
    this.#up.send({ is: "open" });
  }

  /** The program at the hub's end, when there is one. */
  get hub(): Life | undefined {
    return this.#hub;
  }

  /** Whether either side still believes in it. */
  get believers(): readonly ("node" | "hub")[] {
    return [...(this.#isOpenAtNode ? ["node" as const] : []), ...(this.#isOpenAtHub ? ["hub" as const] : [])];
  }

  /** The node has done with it. */
  leave(): void {
    if (!this.#isOpenAtNode) return;
    this.#isOpenAtNode = false;
    this.#up.send({ is: "reset" });
  }

  /** The hub destroys the connection. */
  destroy(): void {
    if (!this.#isOpenAtHub) return;
    this.#isOpenAtHub = false;
    this.#down.send({ is: "reset" });
  }

  /** The program at one end is gone. Its system says so to the other, unless it is gone itself. */
  orphan(side: "node" | "hub", isTold: boolean): void {
    if (side === "node") this.#isOpenAtNode = false;
    else this.#isOpenAtHub = false;
    if (isTold) (side === "node" ? this.#up : this.#down).send({ is: "reset" });
  }

  /** Something on the way ends the connection, and tells both sides, one of them or none. */
  cut(told: { node: boolean; hub: boolean }): void {
    this.#up.close();
    this.#down.close();
    const reset = { is: "reset" } as const;
    if (told.node) this.node.after(0, () => this.#deliver(reset, this.atNode, () => this.#isOpenAtNode));
    if (told.hub) this.#hub?.after(0, () => this.#deliver(reset, this.atHub, () => this.#isOpenAtHub));
  }

  /** What was held may go on. */
  pump(): void {
    this.#up.pump();
    this.#down.pump();
  }

  #open({ hub, onOpen }: LinkOptions): void {
    this.#hub = hub();
    this.#isOpenAtHub = true;
    if (onOpen(this)) return;
    this.#isOpenAtHub = false;
    this.#down.send({ is: "reset" });
  }

  #side(end: {
    way: Way;
    back: Way;
    /** Of the frames of this side, which are the only ones that are written to it. */
    encode: (frame: never) => Uint8Array;
    isOpen: () => boolean;
    life: () => Life | undefined;
  }): Duplex {
    const { way, back, encode, isOpen, life } = end;
    const side = new Duplex({
      ...{ objectMode: true, highWaterMark, autoDestroy: false },
      read: () => back.pump(),
      write: (frame: unknown, _, done) => {
        this.mostWaiting = Math.max(this.mostWaiting, side.writableLength + way.underWay);
        if (isOpen() && !life()?.isOver) way.send({ is: "frame", bytes: encode(frame as never) }, done);
      },
      final: (done) => {
        if (isOpen() && !life()?.isOver) way.send({ is: "end" });
        done();
      },
    });
    return side;
  }

  #deliver(parcel: Parcel, to: Duplex, isOpen: () => boolean): void {
    const isNode = to === this.atNode;
    const reader = isNode ? undefined : this.#hub;
    if (!isOpen() || reader?.isOver) return;
    if (parcel.is === "frame") {
      const frame = isNode
        ? fromBinary(HubFrameSchema, parcel.bytes)
        : { frame: fromBinary(NodeFrameSchema, parcel.bytes), sizeBytes: parcel.bytes.length };
      if (!to.push(frame)) (isNode ? this.#down : this.#up).fill();
    } else if (parcel.is === "end" && !parcel.error) to.push(null);
    else if (parcel.is !== "open") {
      const why = parcel.is === "end" ? parcel.error : undefined;
      if (isNode) this.#isOpenAtNode = false;
      else this.#isOpenAtHub = false;
      if (isNode) to.emit("error", Object.assign(new Error("broken"), { details: why?.message ?? "reset" }));
      else to.emit("cancelled");
    }
  }

  /** The hub ends the stream with a failure. */
  fail(error: Error): void {
    if (this.#isOpenAtHub) this.#down.send({ is: "end", error });
    this.#isOpenAtHub = false;
  }
}

/** A frame in a word or two. */
function told(body: NodeFrame["body"] | HubFrame["body"]): string {
  switch (body.case) {
    case "hello":
      return `hello of epoch ${body.value.sessionEpoch}, which has commands to ${body.value.lastCommandSequence}`;
    case "welcome":
      return `welcome, and the hub has reports to ${body.value.reportsThrough}`;
    case "reject":
      return `reject: ${body.value.message}`;
    case "command":
      return `command ${body.value.sequence}: ${body.value.command?.id}`;
    case "report":
      return `report ${body.value.sequence}: ${body.value.entry.case}`;
    case "commandsAck":
    case "reportsAck":
      return `${body.case} ${body.value.throughSequence}`;
    case "cancel":
      return `cancel ${body.value.commandId}`;
    default:
      return body.case ?? "nothing";
  }
}
