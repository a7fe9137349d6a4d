/** How ip(8) writes "for ever". */
const forEver = 2 ** 32 - 1;

/** Until the kernel takes an address away, in seconds: the field is there only when it ever does. */
export function validFor(seconds: number | undefined): { validSeconds?: number } {
  return seconds === undefined || seconds === forEver ? {} : { validSeconds: seconds };
}
