// Biome formats and does the quick part; this is what needs types. Each rule that is off or changed says why.
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "gen/", "node_modules/", "eslint.config.js", "bin/", "examples/**/*.mjs"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      // Inside `try` a returned promise must be awaited, so that the catch sees it; elsewhere both are the same.
      "@typescript-eslint/return-await": ["error", "error-handling-correctness-only"],
      // Values of a row, numbers and booleans read well in a sentence; what must not get in is an object.
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        {
          allowNumber: true,
          allowBoolean: true,
          allowNullish: true,
          allow: [{ from: "lib", name: ["Error", "URL", "Uint8Array"] }],
        },
      ],
      // `() => log.info(...)` and `() => void count++` say what they do.
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/no-meaningless-void-operator": "off",
      // A signal's reason is unknown, and is passed on as it is.
      "@typescript-eslint/prefer-promise-reject-errors": [
        "error",
        { allowThrowingAny: true, allowThrowingUnknown: true },
      ],
      // Connect and grpc-js each have an enum of the same numbers: gRPC's own.
      "@typescript-eslint/no-unsafe-enum-assignment": "off",
      // What `String(...)` is asked about is unknown, and anything is better than nothing in a log.
      "@typescript-eslint/no-base-to-string": "off",
      // Objects made of closures have methods without `this`; a class uses #private fields and fails at once without it.
      "@typescript-eslint/unbound-method": "off",
      // `Promise.withResolvers<void>()` is what a wait without a value is called.
      "@typescript-eslint/no-invalid-void-type": "off",
      // The compiler forgets what an await may have changed, and an engine sends less than its types promise.
      "@typescript-eslint/no-unnecessary-condition": "off",
      // Biome knows the same, and takes names that begin with an underscore.
      "@typescript-eslint/no-unused-vars": "off",
      // A function that must return a promise to fit its type may have nothing to await.
      "@typescript-eslint/require-await": "off",
    },
  },
  {
    files: ["test/**", "bench/**"],
    rules: {
      // What a test reads is checked by its assertions, in the same line.
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-return": "off",
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
