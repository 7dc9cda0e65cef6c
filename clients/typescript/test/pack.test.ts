/** Installs the packed package into an empty folder, and imports it in both ways. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PACKAGE } from "./support/folders.js";

const CODE = `
const desktop = new Desktop("unix:/nonexistent.sock", { timeout: 0.2 });
const action = actions.click(1, 2);
const computer = new Computer(desktop);
const tool = await computer.tool();
const error = await desktop.info().catch((error) => error);
console.log(action.action.case, tool.type, error.name, error instanceof Unavailable, v1.Button.LEFT);
`;
const EXPECTED = "click computer_toolset_20260801 Unavailable true 1\n";
const PATHS = { "": "Desktop, Unavailable, actions", "/adapters/anthropic": "Computer" };
const IMPORTS = Object.entries(PATHS).map(
  ([path, names]) => `import { ${names} } from "@deskd/client${path}";\n`,
);
const REQUIRES = Object.entries(PATHS).map(
  ([path, names]) => `const { ${names} } = require("@deskd/client${path}");\n`,
);

describe("the packed package", () => {
  const folder = mkdtempSync(join(tmpdir(), "deskd-pack-"));
  const run = (program: string, ...given: string[]) =>
    execFileSync(program, given, {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  let files: string[] = [];

  before(() => {
    const given = ["pack", "--json", "--silent", "--pack-destination", folder];
    const output = execFileSync("npm", given, { cwd: PACKAGE, encoding: "utf8" });
    // A script's own output may come first. Newer versions of npm list the packages by name.
    const packed: unknown = JSON.parse(output.slice(output.search(/^[[{]/m)));
    const [made] = Object.values(packed as object) as {
      filename: string;
      files: { path: string }[];
    }[];
    files = made!.files.map((file) => file.path);
    write("package.json", '{ "private": true }');
    run(
      "npm",
      "install",
      "--no-audit",
      "--no-fund",
      "--prefer-offline",
      "--omit=peer",
      `./${made!.filename}`,
    );
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("has only what is used", () => {
    const expected =
      /^(README\.md|LICENSE|package\.json|dist\/(esm|cjs)\/.*\.(js|d\.ts)|dist\/cjs\/package\.json)$/;
    assert.deepEqual(
      files.filter((path) => !expected.test(path)),
      [],
    );
    assert.ok(
      ["README.md", "LICENSE", "dist/esm/index.d.ts"].every((path) => files.includes(path)),
    );
  });

  test("is imported as an ES module", () => {
    write("try.mjs", `${IMPORTS.join("")}import * as v1 from "@deskd/client/v1";\n${CODE}`);
    assert.equal(run(process.execPath, "try.mjs"), EXPECTED);
  });

  test("is required as a CommonJS module", () => {
    const head = `${REQUIRES.join("")}const v1 = require("@deskd/client/v1");\n`;
    write("try.cjs", `${head}(async () => {${CODE}})();\n`);
    assert.equal(run(process.execPath, "try.cjs"), EXPECTED);
  });

  test("has every path of its exports", () => {
    const { exports } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8")) as {
      exports: object;
    };
    // These two extend classes of packages that are not installed here.
    const optional = ["./adapters/anthropicToolset", "./adapters/openaiAgents", "./package.json"];
    const paths = Object.keys(exports).filter((path) => !optional.includes(path));
    const names = paths.map((path) => JSON.stringify(`@deskd/client${path.slice(1)}`));
    write("all.mjs", `for (const name of [${names}]) await import(name);`);
    write("all.cjs", `for (const name of [${names}]) require(name);`);
    run(process.execPath, "all.mjs");
    run(process.execPath, "all.cjs");
  });

  test("has types for both", () => {
    const code = `${IMPORTS.join("")}
      const desktop = new Desktop();
      export const made: Promise<readonly [number, number]> = desktop.screenSize();
      export const tool: Promise<{ type: "computer_toolset_20260801" }> = new Computer(desktop).tool();
      export const wrong = [actions.click(1, 2), Unavailable];
      // @ts-expect-error: the option does not exist
      void desktop.click(1, 2, { modifier: "ctrl" });
    `;
    write("typed.mts", code);
    write("typed.cts", code);
    const tsc = join(PACKAGE, "node_modules", "typescript", "bin", "tsc");
    const types = ["--types", "node", "--typeRoots", join(PACKAGE, "node_modules", "@types")];
    const options = ["--strict", "--noEmit", "--skipLibCheck", "--target", "es2022", ...types];
    run(process.execPath, tsc, ...options, "--module", "nodenext", "typed.mts", "typed.cts");
  });
});
