// Hides: that what takes long is computed in a worker, so that the page stays quick.

import { distances } from "./distance.js";
import { findObject } from "./grabcut.js";
import { holdPixels, holdShown, retouchedFile, retouchStroke } from "./retouching.js";

const TASKS = { distances, findObject, holdPixels, holdShown, retouchedFile, retouchStroke };
const isWorker = typeof document === "undefined";

let worker = null;
let asked = 0;
const waiting = new Map(); // number of a question to those that take its answer

/** Runs one of TASKS with its arguments in the worker. @returns {Promise} what it returns, or what its promise gives */
export function compute(task, ...values) {
  if (!worker) {
    worker = new Worker(new URL("./offpage.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data: { number, answer, failure } }) => {
      const { resolve, reject } = waiting.get(number);
      waiting.delete(number);
      if (failure === undefined) resolve(answer);
      else reject(new Error(failure));
    });
  }
  asked += 1;
  worker.postMessage({ number: asked, task, values });
  return new Promise((resolve, reject) => waiting.set(asked, { resolve, reject }));
}

if (isWorker) {
  self.addEventListener("message", async ({ data: { number, task, values } }) => {
    try {
      self.postMessage({ number, answer: await TASKS[task](...values) });
    } catch (error) {
      self.postMessage({ number, failure: String(error?.message ?? error) }); // so that nobody waits forever
    }
  });
}
