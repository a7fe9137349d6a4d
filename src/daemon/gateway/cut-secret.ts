import { Transform } from "node:stream";

/** A secret that is shorter would be found by chance everywhere. */
const leastBytes = 6;

/** Puts stars, one for each byte, in the place of a secret that comes back in an answer. Its length stays the same. */
export function secretCutter(secret: Buffer): Transform {
  const stars = Buffer.alloc(secret.length, "*");
  if (secret.length < leastBytes) return new Transform({ transform: (chunk, _, done) => done(null, chunk) });
  /** What may be the beginning of the secret: the rest may come with the next bytes. */
  let held: Buffer = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _, done) {
      const bytes = Buffer.concat([held, chunk]);
      for (let at = bytes.indexOf(secret); at >= 0; at = bytes.indexOf(secret, at + secret.length)) {
        stars.copy(bytes, at);
      }
      const keep = beginningAtEnd(bytes, secret);
      held = bytes.subarray(bytes.length - keep);
      done(null, bytes.subarray(0, bytes.length - keep));
    },
    flush: (done) => done(null, held),
  });
}

/** The same for a text, such as a header. */
export function cutFrom(text: string, secret: Buffer): string {
  if (secret.length < leastBytes) return text;
  return text.replaceAll(secret.toString("latin1"), "*".repeat(secret.length));
}

/** How many of the last bytes are how the secret begins. So an answer that comes slowly is held up by nothing else. */
function beginningAtEnd(bytes: Buffer, secret: Buffer): number {
  for (let count = Math.min(secret.length - 1, bytes.length); count > 0; count--) {
    if (bytes.subarray(bytes.length - count).equals(secret.subarray(0, count))) return count;
  }
  return 0;
}
