// Compiles the native kernels if there is a C++ compiler (GCC or Clang); says so in one line if not. Needs nothing but the
// compiler: Node-API's headers come with npm packages, and nothing is downloaded.
//
//   node scripts/build-native.mjs                    into dist/kernels/native/kbit.node
//   node scripts/build-native.mjs --install          the same, unless the package holds a binary that loads here
//   node scripts/build-native.mjs --prebuild [TARGET]   into prebuilds/TARGET/kbit.node, for a release; TARGET: this machine,
//                                                    or another, such as linux-arm64, whose compiler CXX names
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";

const source = "src/kernels/native";
const usualOutput = "dist/kernels/native/kbit.node";
const thisTarget = `${process.platform}-${process.arch}`;
/** What releases hold binaries for. */
const releaseTargets = ["linux-x64", "linux-arm64", "darwin-arm64", "win32-x64"];
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
  const parts = readdirSync(source).filter((name) => /\.(h|cpp)$/.test(name));
  return parts.every((name) => statSync(`${source}/${name}`).mtimeMs <= made);
}

/**
 * Builds the addon; resolves to a sentence about what was done. `flags` are added to those of compiler and linker, and
 * objects go into `folder`.
 *
 * @param target - platform and architecture, as in `linux-x64`
 */
export async function buildNative({
  output = usualOutput,
  folder = "build/native",
  flags: extra = [],
  target = thisTarget,
} = {}) {
  if (process.env.KBIT_NATIVE === "0") return "Native kernels: left out; WASM serves.";
  const compiler = findCompiler();
  if (!compiler) return "Native kernels: no C++ compiler found; WASM serves.";
  if (isFresh(output)) return "Native kernels: up to date.";
  const [platform, architecture] = target.split("-");
  const x64 = architecture === "x64";
  mkdirSync(folder, { recursive: true });
  mkdirSync(dirname(output), { recursive: true });
  const common = [
    "-std=c++20",
    "-O3",
    ...(platform === "win32" ? [] : ["-fPIC"]),
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
    const link = platform === "darwin" ? ["-undefined", "dynamic_lookup"] : [];
    const imports = platform === "win32" ? [makeImportLibrary(folder)] : [];
    const objects = jobs.map(([, object]) => `${folder}/${object}.o`);
    await run(compiler, ["-shared", "-pthread", ...extra, ...link, ...objects, ...imports, "-o", `${output}.new`]);
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

/** Windows links against a list of what node.exe exports, made of the lists that come with the headers. */
function makeImportLibrary(folder) {
  const { symbols } = require("node-api-headers");
  const names = new Set(
    Object.values(symbols).flatMap(({ js_native_api_symbols: js, node_api_symbols: node }) => [...js, ...node]),
  );
  writeFileSync(`${folder}/node.def`, `LIBRARY node.exe\nEXPORTS\n${[...names].join("\n")}\n`);
  const dlltool = process.env.DLLTOOL ?? "dlltool";
  execFileSync(dlltool, ["-d", `${folder}/node.def`, "-l", `${folder}/libnode.a`]);
  return `${folder}/libnode.a`;
}

/** Whether the package holds a binary for this machine that loads. */
function hasPrebuilt() {
  try {
    require(resolve(`prebuilds/${thisTarget}/kbit.node`));
    return true;
  } catch {
    return false;
  }
}

async function prebuild(target) {
  if (!releaseTargets.includes(target)) throw new Error(`${target} is none of ${releaseTargets.join(", ")}`);
  // The C++ runtime goes into the binary, so that it asks of the system no more than its C library.
  const flags = target.startsWith("darwin") ? [] : ["-static-libstdc++", "-static-libgcc", "-s"];
  const output = `prebuilds/${target}/kbit.node`;
  const done = await buildNative({ output, folder: `build/prebuild-${target}`, flags, target });
  if (!existsSync(output)) process.exitCode = 1;
  return `${output}: ${done}`;
}

if (import.meta.main) {
  const [mode, target = thisTarget] = process.argv.slice(2);
  if (mode === "--prebuild") console.log(await prebuild(target));
  else if (mode === "--install" && hasPrebuilt()) console.log("Native kernels: the package's own.");
  else console.log(await buildNative());
}
