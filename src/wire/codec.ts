/** How messages become bytes and bytes messages. */
export interface Codec<In, Out> {
  decode(bytes: Uint8Array): In;
  encode(message: Out): Uint8Array;
}
