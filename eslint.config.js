// Biome formats and does the quick part; this is what needs types. Each rule that is off or changed says why.
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "gen/", "node_modules/", "eslint.config.js", "bin/"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      // Numbers and booleans read well in a sentence; what must not get in is an object or undefined.
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      // `() => log.info(...)` says what it does without braces.
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // Biome knows the same, and takes names that begin with an underscore.
      "@typescript-eslint/no-unused-vars": "off",
      // A function that must return a promise to fit its type may have nothing to await.
      "@typescript-eslint/require-await": "off",
      // `while (true)` and `for (;;)` with a way out inside are loops, not mistakes.
      "@typescript-eslint/no-unnecessary-condition": [
        "error",
        { allowConstantLoopConditions: "only-allowed-literals" },
      ],
      // Inside `try` a returned promise must be awaited, so that the catch sees it; elsewhere both are the same.
      "@typescript-eslint/return-await": ["error", "error-handling-correctness-only"],
    },
  },
  {
    files: ["test/**", "bench/**"],
    rules: {
      // `test(...)` returns a promise that the runner awaits.
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          allowForKnownSafeCalls: [
            { from: "package", name: ["test", "it", "describe", "suite"], package: "node:test" },
          ],
        },
      ],
    },
  },
);
