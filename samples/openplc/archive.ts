/** What the real runtime refuses in an uploaded ZIP, as far as its list of files tells. */
const refusedEndings = /\.(exe|dll|sh|bat|js|vbs|scr)$/i;
const maxFileBytes = 10 << 20;
const maxTotalBytes = 50 << 20;

const sign = { entry: 0x02014b50, end: 0x06054b50 };

interface Entry {
  name: string;
  sizeBytes: number;
}

/** The files of a ZIP, or what is wrong with it, in words for the answer. */
export function filesOf(zip: Buffer): string[] | { refused: string } {
  const entries = list(zip);
  if (entries === undefined || entries.length === 0) return { refused: "Invalid ZIP file" };
  const isBad = ({ name, sizeBytes }: Entry) =>
    /^\/|\\|:|(^|\/)\.\.(\/|$)/.test(name) || refusedEndings.test(name) || sizeBytes > maxFileBytes;
  const totalBytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (entries.some(isBad) || totalBytes > maxTotalBytes) {
    return { refused: "Uploaded ZIP file failed safety checks" };
  }
  return entries.map(({ name }) => name);
}

/** Reads the central directory (APPNOTE.TXT, 4.3.12); nothing is unpacked. */
function list(zip: Buffer): Entry[] | undefined {
  const end = zip.lastIndexOf(Buffer.from("PK\u0005\u0006", "latin1"));
  if (end < 0 || end + 22 > zip.length || zip.readUInt32LE(end) !== sign.end) return undefined;
  const count = zip.readUInt16LE(end + 10);
  const entries: Entry[] = [];
  let at = zip.readUInt32LE(end + 16);
  while (entries.length < count) {
    if (at + 46 > zip.length || zip.readUInt32LE(at) !== sign.entry) return undefined;
    const nameBytes = zip.readUInt16LE(at + 28);
    const name = zip.toString("utf8", at + 46, at + 46 + nameBytes);
    entries.push({ name, sizeBytes: zip.readUInt32LE(at + 24) });
    at += 46 + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return entries;
}
