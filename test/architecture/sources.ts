import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import ts from "typescript";

export const root = new URL("../..", import.meta.url).pathname;

export interface Import {
  /** Path from the root for a file of ours, else the module's name. */
  of: string;
  /** Only its types: nothing of it is loaded. */
  isTypeOnly: boolean;
  /** `import(...)`: loaded when it is needed. */
  isDynamic: boolean;
}

export interface Source {
  /** From the root, as in `src/base/log.ts`. */
  path: string;
  lines: number;
  imports: Import[];
  /** Names at the top level that can change while the program runs. */
  moduleState: string[];
  beginsWithComment: boolean;
}

/** Every source file below a folder, parsed. */
export function readSources(folder: string): Source[] {
  return globSync(`${folder}/**/*.ts`, { cwd: root })
    .sort()
    .map((path) => parseSource(path, readFileSync(join(root, path), "utf8")));
}

export function parseSource(path: string, text: string): Source {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const imports: Import[] = [];
  const visit = (node: ts.Node): void => {
    const found = importIn(node);
    if (found) imports.push({ ...found, of: placeOf(path, found.of) });
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return {
    path,
    lines: text.split("\n").length - 1,
    imports,
    moduleState: tree.statements.flatMap(stateIn),
    beginsWithComment: /^(\/\*\*|\/\/)/.test(text),
  };
}

function importIn(node: ts.Node): Import | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    const { importClause: clause } = node;
    const named = clause?.namedBindings;
    const isTypeOnly =
      clause?.phaseModifier === ts.SyntaxKind.TypeKeyword ||
      (clause?.name === undefined &&
        named !== undefined &&
        ts.isNamedImports(named) &&
        named.elements.every((one) => one.isTypeOnly));
    return { of: node.moduleSpecifier.text, isTypeOnly, isDynamic: false };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
    return { of: node.moduleSpecifier.text, isTypeOnly: node.isTypeOnly, isDynamic: false };
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [what] = node.arguments;
    if (what && ts.isStringLiteral(what)) return { of: what.text, isTypeOnly: false, isDynamic: true };
  }
  return undefined;
}

function placeOf(importer: string, module: string): string {
  return module.startsWith(".") ? normalize(join(dirname(importer), module)) : module;
}

/**
 * What is assigned again, and what is made empty in order to be filled. A WeakMap is neither: it remembers what can be worked
 * out again from its key.
 */
function stateIn(statement: ts.Statement): string[] {
  if (!ts.isVariableStatement(statement)) return [];
  const { declarationList: list } = statement;
  return list.declarations
    .filter((one) => (list.flags & ts.NodeFlags.Const) === 0 || isMadeEmpty(one.initializer))
    .map((one) => (ts.isIdentifier(one.name) ? one.name.text : "a pattern"));
}

function isMadeEmpty(value: ts.Expression | undefined): boolean {
  if (value === undefined) return false;
  if (ts.isArrayLiteralExpression(value)) return value.elements.length === 0;
  if (!ts.isNewExpression(value) || !ts.isIdentifier(value.expression)) return false;
  return ["Map", "Set"].includes(value.expression.text) && (value.arguments ?? []).length === 0;
}
