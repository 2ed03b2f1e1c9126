// Hides: the life of one fill: the request, the polling of its progress and of its drafts, and the ways in which it is
// cancelled.

import { cancelJob, draft, inpaint, jobState, newJob, ServerError } from "./server.js";

const POLL = 400; // ms between two questions about progress
const PATIENCE = 3000; // ms that the server has to confirm a cancellation before the connection is closed

export class Fill {
  /**
   * @param {function} onProgress receives {state, ahead, done, total}, first with the state "sending"
   * @param {Draft} draft shows what comes before the result
   */
  constructor(onProgress, draft) {
    this.onProgress = onProgress;
    this.draft = draft;
    this.controller = new AbortController();
    this.cancelled = false;
    this.again();
  }

  /** Gets ready for another request. */
  again() {
    this.job = newJob();
    this.ended = false;
    this.drafts = 0;
    this.draft.clear();
  }

  /** Does the work; see `inpaint` of server.js. Throws ServerError, with code "cancelled" after `cancel`. */
  async run(work) {
    if (this.cancelled) throw new ServerError("Cancelled.", "cancelled");
    this.onProgress({ state: "sending", ahead: 0, done: 0, total: 0 });
    this.poll(this.job);
    try {
      return await inpaint(work, this.job, this.controller.signal);
    } finally {
      this.ended = true;
    }
  }

  async poll(job) {
    const over = () => this.ended || job !== this.job;
    while (!over()) {
      await new Promise((resolve) => setTimeout(resolve, POLL));
      if (over()) return;
      try {
        const state = await jobState(job);
        if (over()) return;
        if (state.state === "queued" || state.state === "running") this.onProgress(state);
        if (state.drafts > this.drafts) {
          this.drafts = state.drafts;
          const shown = await draft(job);
          if (!over()) await this.draft.show(shown);
        }
      } catch (error) {
        // Not known yet while the photo is on its way; a server that is gone shows itself in the request proper.
        if (!(error instanceof ServerError)) throw error;
      }
    }
  }

  /** Asks the server to stop; where it does not answer in time, closing the connection does the same. */
  async cancel() {
    this.cancelled = true;
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
