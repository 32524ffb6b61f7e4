// Entry of the WASM kernels: how a job is shared between threads.
//
// The host writes a Job and calls `run`. Tasks are claimed one by one from `remaining`, so a thread that another
// process holds up costs at most the task in its hands; the host's thread works too. Waiting spins for a moment, then
// sleeps. All threads run this module on one memory; the host alone allocates, and only between jobs.

import { Job, runTask } from "./job";

@unmanaged
class Control {
  generation: i32; // counts jobs; workers sleep on it
  remaining: i32; // tasks not yet claimed
  done: i32; // tasks finished; the host sleeps on it
  sleepers: i32; // workers asleep, or about to be
  hostSleeps: i32;
  stopped: i32;
  failed: i32; // a worker trapped
}

const control = changetype<Control>(1024);
const job = changetype<Job>(2048);
const SPINS = 30000;

// @ts-ignore: decorator
@inline
function field(name: usize): usize {
  return changetype<usize>(control) + name;
}

/** Does tasks until none is left to claim. */
function claimTasks(thread: usize): void {
  for (;;) {
    const left = atomic.sub<i32>(field(offsetof<Control>("remaining")), 1);
    if (left <= 0) return;
    const total = <i32>job.tasks;
    runTask(job, <usize>(total - left), thread);
    if (atomic.add<i32>(field(offsetof<Control>("done")), 1) + 1 == total) {
      if (atomic.load<i32>(field(offsetof<Control>("hostSleeps")))) {
        atomic.notify(field(offsetof<Control>("done")), 1);
      }
    }
  }
}

/** Does the job that stands in memory, alone or with the workers. False: a worker failed. */
export function run(shared: bool): bool {
  if (!shared) {
    for (let task: usize = 0; task < job.tasks; task++) runTask(job, task, 0);
    return true;
  }
  const tasks = <i32>job.tasks;
  atomic.store<i32>(field(offsetof<Control>("done")), 0);
  atomic.store<i32>(field(offsetof<Control>("remaining")), tasks);
  atomic.add<i32>(field(offsetof<Control>("generation")), 1);
  if (atomic.load<i32>(field(offsetof<Control>("sleepers"))) > 0) {
    atomic.notify(field(offsetof<Control>("generation")), tasks - 1);
  }
  claimTasks(0);
  for (let i = 0; i < SPINS; i++) if (atomic.load<i32>(field(offsetof<Control>("done"))) == tasks) break;
  if (atomic.load<i32>(field(offsetof<Control>("done"))) != tasks) sleepUntilDone(tasks);
  return !atomic.load<i32>(field(offsetof<Control>("failed")));
}

function sleepUntilDone(tasks: i32): void {
  atomic.store<i32>(field(offsetof<Control>("hostSleeps")), 1);
  for (;;) {
    const done = atomic.load<i32>(field(offsetof<Control>("done")));
    if (done == tasks || atomic.load<i32>(field(offsetof<Control>("failed")))) break;
    atomic.wait<i32>(field(offsetof<Control>("done")), done, -1);
  }
  atomic.store<i32>(field(offsetof<Control>("hostSleeps")), 0);
}

/** The life of a worker: it works on every job until `stop`. */
export function work(thread: i32): void {
  let generation = 0;
  for (;;) {
    claimTasks(<usize>thread);
    if (atomic.load<i32>(field(offsetof<Control>("stopped")))) return;
    let news = false;
    for (let i = 0; i < SPINS && !news; i++) {
      news = atomic.load<i32>(field(offsetof<Control>("generation"))) != generation;
    }
    if (!news) {
      atomic.add<i32>(field(offsetof<Control>("sleepers")), 1);
      atomic.wait<i32>(field(offsetof<Control>("generation")), generation, -1);
      atomic.sub<i32>(field(offsetof<Control>("sleepers")), 1);
    }
    generation = atomic.load<i32>(field(offsetof<Control>("generation")));
  }
}

/** Called by a worker whose `work` trapped, so that the host does not wait for it. */
export function fail(): void {
  atomic.store<i32>(field(offsetof<Control>("failed")), 1);
  atomic.add<i32>(field(offsetof<Control>("done")), 1 << 20);
  atomic.notify(field(offsetof<Control>("done")), 1);
}

/** Ends every worker's `work`. */
export function stop(): void {
  atomic.store<i32>(field(offsetof<Control>("stopped")), 1);
  atomic.add<i32>(field(offsetof<Control>("generation")), 1);
  atomic.notify(field(offsetof<Control>("generation")), -1);
}
