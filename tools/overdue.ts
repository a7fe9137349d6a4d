/**
 * Loaded into each process of the test runner: one that is still there when the time of its file is over says what keeps it, and
 * ends. The runner limits the time of tests only; a file that does not end after its tests would stop everything for ever.
 */
const limitMs = 300_000;

setTimeout(() => {
  const open = process.getActiveResourcesInfo().join(", ");
  process.stderr.write(`this file did not end within ${limitMs / 1000} s; still open: ${open}\n`);
  process.exit(1);
}, limitMs).unref();
