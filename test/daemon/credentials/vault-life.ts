/** A program that changes a vault without end, for a test that cuts it off: it says before and after each change which it is. */
import { writeSync } from "node:fs";
import { openVault } from "./open-vault.ts";

const folder = process.argv[2] ?? "";
using vault = openVault(folder);
const say = (text: string) => writeSync(1, `${text}\n`);

for (let n = 1; ; n++) {
  say(`begun ${n}`);
  const kept = {
    name: `secret-${n % 3}`,
    description: "",
    createdAt: 0,
    updatedAt: 0,
    labels: [],
    commandId: "",
  };
  await vault.put(kept, Buffer.from(`value-${n}`));
  say(`done ${n}`);
  await vault.rotate();
}
