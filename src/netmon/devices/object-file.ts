/** Bytes of the file's header, of a section's, and of a symbol (elf(5), 64 bits, little endian). */
const [fileBytes, sectionBytes, symbolBytes] = [64, 64, 24];

/** Kinds of sections: none, what the program is made of, its symbols, and names. */
const [none, content, symbols, names] = [0, 1, 2, 3];

/**
 * An eBPF program for a control group's devices as an ELF object, which is how bpftool(8) takes one. `name` is what the kernel
 * shows, 15 letters at most.
 */
export function objectFile(program: Buffer, name: string): Buffer {
  const titles = ["", "cgroup/dev", "license", ".symtab", ".strtab"];
  const strings = Buffer.from(`${[...titles, name].join("\0")}\0`);
  const nameAt = (one: string) => (one === "" ? 0 : strings.indexOf(`\0${one}\0`) + 1);
  const sections = [
    { kind: none, flags: 0n, bytes: Buffer.alloc(0) },
    { kind: content, flags: 6n, bytes: program }, // Loaded, and run.
    { kind: content, flags: 3n, bytes: Buffer.from("GPL\0") },
    { kind: symbols, flags: 0n, bytes: Buffer.concat([Buffer.alloc(symbolBytes), symbolOf()]) },
    { kind: names, flags: 0n, bytes: strings },
  ].map(({ bytes, ...one }) => ({ ...one, length: bytes.length, bytes: padded(bytes) }));
  function symbolOf(): Buffer {
    const symbol = Buffer.alloc(symbolBytes);
    symbol.writeUInt32LE(nameAt(name), 0);
    symbol.writeUInt8((1 << 4) | 2, 4); // A function, for whoever loads it.
    symbol.writeUInt16LE(1, 6); // In the first section.
    symbol.writeBigUInt64LE(BigInt(program.length), 16);
    return symbol;
  }

  let at = fileBytes;
  const headers = sections.map(({ kind, flags, length, bytes }, index) => {
    const header = Buffer.alloc(sectionBytes);
    header.writeUInt32LE(nameAt(titles[index] ?? ""), 0);
    header.writeUInt32LE(kind, 4);
    header.writeBigUInt64LE(flags, 8);
    header.writeBigUInt64LE(BigInt(kind === none ? 0 : at), 24);
    header.writeBigUInt64LE(BigInt(length), 32);
    header.writeBigUInt64LE(8n, 48);
    if (kind === symbols) {
      header.writeUInt32LE(titles.indexOf(".strtab"), 40);
      header.writeUInt32LE(1, 44); // The first that others may see.
      header.writeBigUInt64LE(BigInt(symbolBytes), 56);
    }
    at += bytes.length;
    return header;
  });
  const file = Buffer.alloc(fileBytes);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(file);
  file.writeUInt16LE(1, 16); // To be loaded,
  file.writeUInt16LE(247, 18); // for eBPF,
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(at), 40); // with the sections' headers at the end.
  file.writeUInt16LE(fileBytes, 52);
  file.writeUInt16LE(sectionBytes, 58);
  file.writeUInt16LE(sections.length, 60);
  file.writeUInt16LE(titles.indexOf(".strtab"), 62);
  return Buffer.concat([file, ...sections.map(({ bytes }) => bytes), ...headers]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 7)]);
}
