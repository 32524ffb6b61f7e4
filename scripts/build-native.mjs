// Compiles the native kernels into dist/kernels/native/kbit.node if there is a C++ compiler; says so in one line if not.
// Needs nothing but the compiler: Node-API's headers come with npm packages.
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { promisify } from "node:util";

const source = "src/kernels/native";
const usualOutput = "dist/kernels/native/kbit.node";
const require = createRequire(import.meta.url);

const x64Sets = {
  avx512: ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx2", "-mfma", "-mf16c"],
  avx2: ["-mavx2", "-mfma", "-mf16c"],
};
const bfloatFlags = [...x64Sets.avx512, "-mavx512bf16", "-mavx512vbmi", "-mavx512vbmi2"];

function findCompiler() {
  for (const name of [process.env.CXX, "c++", "g++", "clang++"]) {
    if (!name) continue;
    try {
      execFileSync(name, ["--version"], { stdio: "ignore" });
      return name;
    } catch {}
  }
  return undefined;
}

function isFresh(output) {
  if (!existsSync(output)) return false;
  const made = statSync(output).mtimeMs;
  return readdirSync(source).every((name) => statSync(`${source}/${name}`).mtimeMs <= made);
}

/**
 * Builds the addon; resolves to a sentence about what was done. `flags` are added to those of compiler and linker, and
 * objects go into `folder`.
 */
export async function buildNative({ output = usualOutput, folder = "build/native", flags: extra = [] } = {}) {
  if (process.platform === "win32" || process.env.KBIT_NATIVE === "0") return "Native kernels: left out; WASM serves.";
  const compiler = findCompiler();
  if (!compiler) return "Native kernels: no C++ compiler found; WASM serves.";
  if (isFresh(output)) return "Native kernels: up to date.";
  const x64 = process.arch === "x64";
  mkdirSync(folder, { recursive: true });
  mkdirSync(dirname(output), { recursive: true });
  const common = [
    "-std=c++20",
    "-O3",
    "-fPIC",
    "-Wall",
    "-Wextra",
    "-Wno-psabi",
    "-Wno-maybe-uninitialized",
    "-Wno-uninitialized",
  ];
  const run = promisify(execFile);
  const compile = (file, object, flags) =>
    run(compiler, [...common, ...flags, ...extra, "-c", `${source}/${file}`, "-o", `${folder}/${object}.o`]);
  const headers = [
    `-I${dirname(require.resolve("node-addon-api/napi.h"))}`,
    `-I${require("node-api-headers").include_dir}`,
    "-DNAPI_VERSION=8",
    "-DNODE_ADDON_API_CPP_EXCEPTIONS",
    ...(x64 ? ["-DKBIT_X64", "-DKBIT_BFLOAT16"] : []),
  ];
  const jobs = [
    ...Object.entries(x64 ? x64Sets : {}).map(([name, flags]) => [`isa.cpp`, name, [`-DKBIT_ISA=${name}`, ...flags]]),
    ...(x64 ? [["bfloat.cpp", "bfloat", ["-DKBIT_ISA=avx512bf16", ...bfloatFlags]]] : []),
    ["isa.cpp", "portable", ["-DKBIT_ISA=portable"]],
    ["addon.cpp", "addon", headers],
  ];
  try {
    await Promise.all(jobs.map(([file, object, flags]) => compile(file, object, flags)));
    const link = process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : [];
    const objects = jobs.map(([, object]) => `${folder}/${object}.o`);
    await run(compiler, ["-shared", "-pthread", ...extra, ...link, ...objects, "-o", `${output}.new`]);
    renameSync(`${output}.new`, output);
    return `Native kernels: built with ${compiler}.`;
  } catch (error) {
    const reason =
      String(error.stderr || error.message)
        .split("\n")
        .find((line) => line.includes("error")) ?? "";
    return `Native kernels: ${compiler} failed, WASM serves. ${reason.trim()}`;
  }
}

if (import.meta.main) console.log(await buildNative());
