/**
 * Builds what ships: `dist/orchestrator.js` (the programs, split so that the CLI loads only what it runs) and
 * `dist/openplc-sample.js` (one file, for the sample image).
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { type BuildOptions, build, type Plugin } from "esbuild";

const root = new URL("..", import.meta.url).pathname;

/** CommonJS dependencies ask for Node's own modules by `require`, which an ES module lacks. */
const requireForDependencies =
  'import { createRequire as createRequireForDependencies } from "node:module";' +
  "const require = createRequireForDependencies(import.meta.url);";

/**
 * dockerode can reach an engine over ssh, which we do not offer; its ssh client costs start-up time, memory, and a native
 * addon. In the bundle it is a class that says so.
 */
const withoutSsh: Plugin = {
  name: "without-ssh",
  setup(bundle) {
    bundle.onResolve({ filter: /^ssh2$/ }, () => ({ path: "ssh2", namespace: "without-ssh" }));
    bundle.onLoad({ filter: /.*/, namespace: "without-ssh" }, () => ({
      contents:
        'exports.Client = class { constructor() { throw new Error("an engine over ssh is not supported"); } };',
    }));
  },
};

const shared: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  banner: { js: requireForDependencies },
  define: { __dirname: "import.meta.dirname", __filename: "import.meta.filename" },
  legalComments: "none",
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: "warning",
  plugins: [withoutSsh],
};

/** Replaces `dist/`. Entry points that do not exist are left out. */
export async function buildAll(): Promise<void> {
  await rm(`${root}dist`, { recursive: true, force: true });
  if (existsSync(`${root}src/orchestrator.ts`)) {
    await build({
      ...shared,
      entryPoints: { orchestrator: "src/orchestrator.ts" },
      outdir: "dist",
      splitting: true,
      chunkNames: "parts/[name]-[hash]",
    });
  }
  await build({ ...shared, entryPoints: { "openplc-sample": "samples/openplc/main.ts" }, outdir: "dist" });
}

if (import.meta.main) await buildAll();
