/**
 * Files that say what should run: documents of ours and Compose files, read, checked by the contract's rules with the place of each
 * fault, and written. Of a Compose file, keys that have a meaning here are translated, and every other one is refused by name.
 */
export { apiVersion, readDocument } from "./document.ts";
export { messageFrom } from "./message.ts";
export { toldByPlace, type Wished, type Wishes } from "./wished.ts";
export { readWishes } from "./wishes.ts";
export { treeFrom } from "./write.ts";
