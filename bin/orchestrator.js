#!/usr/bin/env node
// The command `orchestrator`. Only syntax that an old Node can read, so that it refuses with a sentence and not a stack.
import { existsSync } from "node:fs";

const oldestMajor = 24;
const program = new URL("../dist/orchestrator.js", import.meta.url);

function refuse(sentence) {
  process.stderr.write(`orchestrator: ${sentence}\n`);
  process.exitCode = 1;
}

if (Number(process.versions.node.split(".")[0]) < oldestMajor) {
  refuse(
    `Node ${oldestMajor} or later is needed, and this is Node ${process.versions.node}. ` +
      "In a checkout, `npx orchestrator` runs on the right one.",
  );
} else if (!existsSync(program)) {
  refuse("it is not built yet. Run `npm run build` first.");
} else {
  await import(program.href);
}
