import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

const root = new URL("../..", import.meta.url).pathname;
const pages = globSync(["*.md", "docs/**/*.md", "samples/**/*.md", "bench/*.md"], { cwd: root });

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test("links between pages lead somewhere", () => {
  const broken = pages.flatMap((file) => {
    const text = readFileSync(join(root, file), "utf8").replace(/```.*?```/gs, "");
    return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(
      ([link, path, anchor]) => {
        const target = path ? join(root, dirname(file), path) : join(root, file);
        if (!existsSync(target)) return [`${file}: ${link}`];
        if (anchor === undefined || !target.endsWith(".md")) return [];
        return anchorsOf(readFileSync(target, "utf8")).includes(anchor) ? [] : [`${file}: ${link}`];
      },
    );
  });
  assert.ok(pages.length > 10);
  assert.deepEqual(broken, []);
});
