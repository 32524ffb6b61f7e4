// The test suite: units, properties, golden values, conformance of kernels, the command line end to end.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    env: { KBIT_CACHE: "off" },
    reporters: ["default", "./scripts/summary-reporter.mjs"],
  },
});
