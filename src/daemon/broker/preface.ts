import type { Socket } from "node:net";
import { failure } from "../../base/failure.ts";

/** What HTTP/2 with prior knowledge begins with (RFC 9113, 3.4); no method of HTTP/1.1 does. */
const preface = Buffer.from("PRI");
/** Who connects says something within so long, in milliseconds. */
const firstWordMs = 10_000;

/** Whether the other side speaks HTTP/2. What was read to know it is put back. */
export function isHttp2(socket: Socket): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const ended = (yes?: boolean) => {
      clearTimeout(late);
      socket.off("readable", look).off("close", gone).off("end", gone);
      if (yes === undefined) return reject(failure("cancelled", "the other side said nothing"));
      socket.unshift(head);
      resolve(yes);
    };
    const look = () => {
      const more = socket.read() as Buffer | null; // A socket without an encoding yields bytes.
      if (more) head = Buffer.concat([head, more]);
      if (head.length >= preface.length) ended(head.subarray(0, preface.length).equals(preface));
    };
    const gone = () => ended();
    const late = setTimeout(gone, firstWordMs).unref();
    socket.on("readable", look).on("close", gone).on("end", gone);
  });
}
