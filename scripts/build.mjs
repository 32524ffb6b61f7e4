// Builds the package into dist/: WASM kernels from AssemblyScript, TypeScript, the live page, and native kernels where a
// compiler is.
// The WASM binaries, with relaxed SIMD and without, become a module, so that Node, browsers and bundlers load it the same way.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { buildNative } from "./build-native.mjs";
import { buildPage } from "./build-page.mjs";

const bin = (name) => `node_modules/.bin/${name}`;
const run = (command, ...args) => execFileSync(command, args, { stdio: "inherit" });
const step = (name) => console.log(`Building ${name} ..`);

const assembly = "src/kernels/wasm/assembly/index.ts";
if (existsSync(assembly)) {
  step("WASM kernels");
  mkdirSync("build", { recursive: true });
  const compile = (name, ...flags) => {
    const output = `build/${name}.wasm`;
    run(bin("asc"), assembly, "--config", "src/kernels/wasm/assembly/asconfig.json", ...flags, "--outFile", output);
    return readFileSync(output).toString("base64");
  };
  const binaries = { wasmBase64: compile("kernels"), relaxedBase64: compile("relaxed", "--enable", "relaxed-simd") };
  const constants = Object.entries(binaries).map(([name, base64]) => `export const ${name} =\n  "${base64}";\n`);
  const text = `// Made by scripts/build.mjs from assembly/; not edited.\n${constants.join("")}`;
  const path = "src/kernels/wasm/binary.generated.ts";
  if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeFileSync(path, text);
}
step("TypeScript");
run(bin("tsc"), "-p", "tsconfig.json");
step("the live page");
await buildPage();
step("native kernels");
console.log(await buildNative());
mkdirSync("build", { recursive: true });
writeFileSync("build/stamp", "");
