// The kernels compiled for 64-bit ARM (NEON) and held to plain loops under qemu.
//
//   apt-get install g++-aarch64-linux-gnu qemu-user
//   node test/native/arm.mjs
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";

const output = "build/arm/selftest";
mkdirSync("build/arm", { recursive: true });
const flags = ["-std=c++20", "-O2", "-static", "-Wall", "-Wextra", "-DKBIT_ISA=portable"];
const sources = ["test/native/selftest.cpp", "src/kernels/native/isa.cpp"];
execFileSync("aarch64-linux-gnu-g++", [...flags, ...sources, "-o", output], { stdio: "inherit" });
execFileSync("qemu-aarch64", [output], { stdio: "inherit" });
