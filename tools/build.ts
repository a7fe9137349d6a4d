/**
 * Builds what ships: `dist/orchestrator.js` (the programs, split so that the CLI loads only what it runs) and
 * `dist/openplc-sample.js` (one file, for the sample image).
 */
import { existsSync } from "node:fs";
import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { getLoadablePath } from "sqlite-vec";

const root = new URL("..", import.meta.url).pathname;

/** CommonJS dependencies ask for Node's own modules by `require`, which an ES module lacks. */
const requireForDependencies =
  'import { createRequire as createRequireForDependencies } from "node:module";' +
  "const require = createRequireForDependencies(import.meta.url);";

/**
 * Parts of dockerode that are never used here and cost start-up time and memory at every start: its ssh client, with a
 * native addon, and its sessions for building images, which load a second protobuf library. In the bundle each is a sentence.
 */
const left = [
  {
    filter: /^ssh2$/,
    sentence: "an engine over ssh is not supported",
    as: "exports.Client = class { constructor() { refuse(); } };",
  },
  {
    filter: /^\.\/session$/,
    sentence: "images are not built by this program",
    as: "module.exports = refuse;",
  },
];

const withoutUnusedParts: Plugin = {
  name: "without-unused-parts",
  setup(bundle) {
    for (const { filter, sentence, as } of left) {
      const namespace = String(filter);
      bundle.onResolve({ filter }, ({ importer }) =>
        /node_modules\/(?:dockerode|docker-modem)\//.test(importer)
          ? { path: sentence, namespace }
          : undefined,
      );
      bundle.onLoad({ filter: /.*/, namespace }, () => ({
        contents: `const refuse = () => { throw new Error(${JSON.stringify(sentence)}); };\n${as}`,
      }));
    }
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
  plugins: [withoutUnusedParts],
};

/** Replaces the folder, `dist/` if none is given. Entry points that do not exist are left out. */
export async function buildAll(folder = `${root}dist`): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  if (existsSync(`${root}src/orchestrator.ts`)) {
    await build({
      ...shared,
      entryPoints: { orchestrator: "src/orchestrator.ts" },
      outdir: folder,
      splitting: true,
      chunkNames: "parts/[name]-[hash]",
    });
    // What udhcpc runs and what SQLite loads are files beside the parts that say so.
    await copyFile(`${root}src/netmon/lease/tell.sh`, join(folder, "parts/tell.sh"));
    await copyFile(getLoadablePath(), join(folder, "parts/vec0.so"));
  }
  await build({ ...shared, entryPoints: { "openplc-sample": "samples/openplc/main.ts" }, outdir: folder });
}

if (import.meta.main) await buildAll();
