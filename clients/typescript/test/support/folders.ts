/** Places of the package and of the repository. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package-lock.json"))) folder = dirname(folder);
  return folder;
}

/** The folder of the package. */
export const PACKAGE = packageFolder();
/** The folder of the conformance vectors. */
export const VECTORS = join(PACKAGE, "..", "..", "tests", "vendors");
