// Hides: how the page speaks: the status line, the message that stays until closed, questions, the progress of a fill.

const find = (selector) => document.querySelector(selector);

/** A line about what just happened; read out by screen readers, replaced by the next. */
export function say(text) {
  find("#status").textContent = text;
}

/** Something went wrong, or needs an answer. `action` is an optional {label, run}. */
export function complain(text, action = null) {
  const notice = find("#notice");
  const button = notice.querySelector("[data-notice=action]");
  notice.querySelector("p").textContent = text;
  button.hidden = !action;
  button.textContent = action?.label ?? "";
  button.onclick = () => {
    hush();
    action?.run();
  };
  notice.querySelector("[data-notice=close]").onclick = hush;
  notice.hidden = false;
}

const told = new WeakMap(); // photo: the warnings that were shown of it

/** What the engine warns of; each text once for a photo, as further fills and files of it have the same. */
export function warn(photo, texts) {
  const before = told.get(photo) ?? new Set();
  const news = texts.filter((text) => !before.has(text));
  told.set(photo, new Set([...before, ...news]));
  if (news.length) complain(news.join(" "));
}

/** Takes the message away. */
export function hush() {
  const notice = find("#notice");
  if (notice.contains(document.activeElement)) find("#stage").focus({ preventScroll: true });
  notice.hidden = true;
}

/** @returns {Promise<boolean>} true for the second button */
export function ask(text, agree) {
  const dialog = find("#confirm");
  if (dialog.open) return Promise.resolve(false); // one question at a time
  find("#confirm-text").textContent = text;
  dialog.querySelector("[value=yes]").textContent = agree;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

const progress = { state: null, since: 0, shown: 0, timer: null };
const TICK = 150; // ms between two looks of the bar
const PATIENCE = 15; // seconds in which the bar goes two thirds of the way to the middle of what is left

/** Shows a fill under way: `state` as the engine tells it, or null to hide. */
export function showProgress(state) {
  const panel = find("#progress");
  panel.hidden = state === null;
  if (!state || state.state in BEGINNING) progress.shown = 0;
  if (state?.state !== progress.state?.state || state?.done !== progress.state?.done) progress.since = Date.now();
  progress.state = state;
  clearInterval(progress.timer);
  if (!state) return;
  progress.timer = setInterval(() => drawProgress(panel), TICK);
  drawProgress(panel);
}

/** Shows that a file is written, unless a fill is shown: the share that is done, if it is known, or null to hide. */
export function showWriting(share) {
  if (progress.state && progress.state.state !== "writing") return;
  showProgress(share === null ? null : { state: "writing", done: share, total: Number(share !== undefined) });
}

/** Between two steps that the engine tells, the bar goes on ever more slowly; it never goes back. */
function drawProgress(panel) {
  const { state, since } = progress;
  const bar = panel.querySelector("progress");
  if (state.state === "running") {
    const within = 1 - Math.exp(-(Date.now() - since) / 1000 / PATIENCE);
    const done = state.done / Math.max(state.total, 1);
    const share = done + ((1 - done) / 2) * within;
    progress.shown = Math.min(Math.max(progress.shown, share), 0.99);
    bar.value = progress.shown;
  } else if (state.total && state.state in MEASURED) bar.value = state.done / state.total;
  else bar.removeAttribute("value");
  bar.setAttribute("aria-label", state.state === "writing" ? "Save" : "Fill");
  panel.querySelector("span").textContent = progressText(state, progress.shown);
}

const MEASURED = { loading: "Loading the network", writing: "Writing the file" };
const BEGINNING = { sending: "Sending the photo…", starting: "Preparing the network…" };

function progressText({ state, ahead, done, total }, share) {
  if (state in BEGINNING) return BEGINNING[state];
  if (state in MEASURED) return `${MEASURED[state]}${total ? `, ${Math.floor((100 * done) / total)} %` : ""}…`;
  if (state === "queued") return ahead > 0 ? `Waiting, ${ahead} ahead…` : "Waiting…";
  return `Filling, ${Math.round(100 * share)} %`;
}
