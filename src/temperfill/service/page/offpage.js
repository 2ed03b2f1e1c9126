// Hides: that what takes long is computed in a worker, so that the page stays quick.

import { distances } from "./distance.js";
import { findObject } from "./grabcut.js";

const TASKS = { distances, findObject };
const isWorker = typeof document === "undefined";

let worker = null;
let asked = 0;
const waiting = new Map(); // number of a question to what takes its answer

/** Runs one of TASKS with its arguments in the worker. @returns {Promise} what it returns */
export function compute(task, ...values) {
  if (!worker) {
    worker = new Worker(new URL("./offpage.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data: { number, answer } }) => {
      waiting.get(number)(answer);
      waiting.delete(number);
    });
  }
  asked += 1;
  worker.postMessage({ number: asked, task, values });
  return new Promise((resolve) => waiting.set(asked, resolve));
}

if (isWorker) {
  self.addEventListener("message", ({ data: { number, task, values } }) => {
    self.postMessage({ number, answer: TASKS[task](...values) });
  });
}
