/** The examples of README.md are those that are compiled. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PACKAGE } from "../support/folders.js";

/** Some code without its imports and whitespace. */
function plain(code: string): string {
  const lines = code.split("\n").filter((line) => !line.startsWith("import "));
  const joined = lines.join("").replace(/\s+/g, "");
  // A formatter adds commas where it breaks lines.
  return joined.replace(/,([)}\]])/g, "$1");
}

test("the examples of README.md are compiled", () => {
  const readme = readFileSync(join(PACKAGE, "README.md"), "utf8");
  const compiled = plain(readFileSync(join(PACKAGE, "test", "examples.ts"), "utf8"));
  const examples = [...readme.matchAll(/```ts\n(.*?)```/gs)].map((found) => plain(found[1]!));
  assert.ok(examples.length >= 9);
  for (const each of examples) assert.ok(compiled.includes(each), each);
});
