// The conformance suite and the fuzzer on native kernels built with AddressSanitizer and UndefinedBehaviorSanitizer.
//
//   node test/native/sanitize.mjs [vitest arguments]
import { execFileSync, spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { buildNative } from "../../scripts/build-native.mjs";

const output = "build/sanitized/kbit.node";
// AddressSanitizer sees what null, alignment and object-size would; with them compiling takes many minutes.
const flags = [
  "-O1",
  "-g1",
  "-fsanitize=address,undefined",
  "-fno-sanitize=null,alignment,object-size",
  "-fno-sanitize-recover=all",
];
console.log(await buildNative({ output, folder: "build/sanitized", flags }));
const find = (name) => execFileSync("g++", [`-print-file-name=${name}`], { encoding: "utf8" }).trim();
const tests = process.argv.length > 2 ? process.argv.slice(2) : ["matmul", "operations", "bfloat16", "quantizer", "fuzz", "select"].map((name) => `test/kernels/${name}.test.ts`);
const { status } = spawnSync(process.execPath, ["node_modules/vitest/vitest.mjs", "run", "--pool=forks", "--testTimeout=600000", ...tests], {
  stdio: "inherit",
  env: {
    ...process.env,
    KBIT_ADDON: resolve(output),
    LD_PRELOAD: `${find("libasan.so")} ${find("libubsan.so")}`,
    // Node itself leaks by design, and WebAssembly handles its own signals.
    ASAN_OPTIONS: "detect_leaks=0:handle_segv=0:allow_user_segv_handler=1",
    UBSAN_OPTIONS: "print_stacktrace=1",
  },
});
process.exit(status ?? 1);
