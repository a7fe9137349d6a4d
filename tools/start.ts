/**
 * `npm start`: everything on this machine, from an engine to a running soft PLC, told stage by stage.
 *
 *   npm start                       until Ctrl-C, which leaves the workload running
 *   npm start -- --once             the same, and ends after the tour
 *   npm start -- --image REF        a real image instead of the sample
 *   npm start -- --own-engine       an engine of this checkout's own, also where the machine has one
 *   npm run clean                   removes everything that npm start made
 */
import { parseArgs } from "node:util";
import { clean } from "./start/clean.ts";
import { Trouble } from "./start/say.ts";
import { tour } from "./start/tour.ts";

const interruptedExit = 130;

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stop.abort());

try {
  const { values } = parseArgs({
    options: {
      once: { type: "boolean", default: false },
      image: { type: "string" },
      "own-engine": { type: "boolean", default: false },
      clean: { type: "boolean" },
    },
  });
  if (values.clean) await clean(stop.signal);
  else
    await tour({
      once: values.once,
      image: values.image,
      ownEngine: values["own-engine"],
      signal: stop.signal,
    });
} catch (thrown) {
  if (stop.signal.aborted) process.exitCode = interruptedExit;
  else if (thrown instanceof Trouble || isMistyped(thrown)) {
    process.stderr.write(`\nnpm start: ${thrown.message}\n`);
    process.exitCode = 1;
  } else throw thrown;
}

function isMistyped(thrown: unknown): thrown is Error {
  return thrown instanceof Error && "code" in thrown && String(thrown.code).startsWith("ERR_PARSE_ARGS");
}
