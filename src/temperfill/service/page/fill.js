// Hides: the life of one fill: the request, the polling of its progress, and the ways in which it is cancelled.

import { cancelJob, inpaint, jobState, newJob, ServerError } from "./server.js";

const POLL = 400; // ms between two questions about progress
const PATIENCE = 3000; // ms that the server has to confirm a cancellation before the connection is closed

export class Fill {
  /** @param {function} onProgress receives {state, ahead, done, total}, first with the state "sending" */
  constructor(onProgress) {
    this.onProgress = onProgress;
    this.job = newJob();
    this.controller = new AbortController();
    this.ended = false;
  }

  /** Does the work; see `inpaint` of server.js. Throws ServerError, with code "cancelled" after `cancel`. */
  async run(work) {
    this.onProgress({ state: "sending", ahead: 0, done: 0, total: 0 });
    this.poll();
    try {
      return await inpaint(work, this.job, this.controller.signal);
    } finally {
      this.ended = true;
    }
  }

  async poll() {
    while (!this.ended) {
      await new Promise((resolve) => setTimeout(resolve, POLL));
      if (this.ended) return;
      try {
        const state = await jobState(this.job);
        if (!this.ended && (state.state === "queued" || state.state === "running")) this.onProgress(state);
      } catch (error) {
        // Not known yet while the photo is on its way; a server that is gone shows itself in the request proper.
        if (!(error instanceof ServerError)) throw error;
      }
    }
  }

  /** Asks the server to stop; where it does not answer in time, closing the connection does the same. */
  async cancel() {
    const close = setTimeout(() => this.controller.abort(), PATIENCE);
    try {
      await cancelJob(this.job);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      clearTimeout(close);
      this.controller.abort();
    }
  }
}
