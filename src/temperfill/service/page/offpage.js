// Hides: that what takes long is computed in a worker, so that the page stays quick.

import { distances } from "./distance.js";
import { findObject } from "./grabcut.js";
import { holdPixels, holdShown, retouchedFile, retouchStroke } from "./retouching.js";

const TASKS = { distances, findObject, holdPixels, holdShown, retouchedFile, retouchStroke };
const isWorker = typeof document === "undefined";

let worker = null;
let asked = 0;
const waiting = new Map(); // number of a question to those that take its answer

/**
 * Runs one of TASKS with its arguments in the worker; a function as the last one is told its progress.
 * @returns {Promise} what it returns, or what its promise gives
 */
export function compute(task, ...values) {
  const report = typeof values.at(-1) === "function" ? values.pop() : null;
  if (!worker) {
    worker = new Worker(new URL("./offpage.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data: { number, answer, failure, progress } }) => {
      const { resolve, reject, report: told } = waiting.get(number);
      if (progress !== undefined) {
        told(progress);
        return;
      }
      waiting.delete(number);
      if (failure === undefined) resolve(answer);
      else reject(new Error(failure));
    });
  }
  asked += 1;
  worker.postMessage({ number: asked, task, values, reports: Boolean(report) });
  return new Promise((resolve, reject) => waiting.set(asked, { resolve, reject, report }));
}

if (isWorker) {
  self.addEventListener("message", async ({ data: { number, task, values, reports } }) => {
    try {
      if (reports) values.push((progress) => self.postMessage({ number, progress }));
      self.postMessage({ number, answer: await TASKS[task](...values) });
    } catch (error) {
      self.postMessage({ number, failure: String(error?.message ?? error) }); // so that nobody waits forever
    }
  });
}
