// Where a process is, and whether another process of the same place still lives: an answer that no clock has a say in.

import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Host, boot and namespace of process ids: equal for processes that can see each other. */
export function describePlace(): string {
  const read = (of: () => string) => {
    try {
      return of().trim();
    } catch {
      return ""; // not on this system
    }
  };
  const boot = read(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8"));
  return `${hostname()} ${boot} ${read(() => readlinkSync("/proc/self/ns/pid"))}`;
}

/** Whether there is a process of that id at this place. */
export function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // it is somebody else's
  }
}
