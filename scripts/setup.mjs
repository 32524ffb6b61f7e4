// Makes a clone ready: installs the packages if the lock file is newer than the installation, builds if a source is newer
// than dist/. `npm start` and `npm test` call it first, so that each works alone from a fresh clone.
// `--tests` also installs what only tests need (a browser and a database: test/browser, test/database); `--build` only
// builds, which is what npm does after installing and before each npx in the clone.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const npm = process.platform === "win32" ? "npm.cmd" : "npm";
const run = (command, args, cwd = ".") => execFileSync(command, args, { cwd, stdio: "inherit" });
const changed = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.includes(".generated.")) continue;
    const path = join(folder, entry.name);
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : changed(path));
  }
  return latest;
}

function isInstalled(folder) {
  return changed(join(folder, "node_modules/.package-lock.json")) >= changed(join(folder, "package-lock.json"));
}

if (!process.argv.includes("--build") && !isInstalled(".")) {
  console.log("Installing packages and building, once; this takes a minute or so ..");
  run(npm, ["ci", "--no-fund", "--no-audit", "--loglevel=error"]);
}
if (
  changed("dist/cli/bin.js") === 0 ||
  changed("build/stamp") < Math.max(newest("src"), newest("dashboard"), changed("scripts/build.mjs"))
) {
  console.log("Building ..");
  run(npm, ["run", "--silent", "build"]);
}
if (process.argv.includes("--tests")) {
  for (const part of ["browser", "database"]) {
    if (isInstalled(`test/${part}`)) continue;
    console.log(`Installing a ${part} for the tests (once) ..`);
    run(npm, ["ci", "--no-fund", "--no-audit", "--loglevel=error"], `test/${part}`);
  }
}
