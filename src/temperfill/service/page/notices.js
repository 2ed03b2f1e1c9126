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

/** Shows a fill under way: `state` as the server tells it, or null to hide. */
export function showProgress(state) {
  const panel = find("#progress");
  panel.hidden = state === null;
  if (!state) return;
  const bar = panel.querySelector("progress");
  if (state.total > 0 && state.done > 0) {
    bar.max = state.total;
    bar.value = state.done;
  } else {
    bar.removeAttribute("value");
  }
  panel.querySelector("span").textContent = progressText(state);
}

function progressText({ state, ahead, done, total }) {
  if (state === "sending") return "Sending the photo…";
  if (state === "queued") return ahead > 0 ? `Waiting, ${ahead} ahead…` : "Waiting…";
  return total > 1 ? `Filling, ${Math.round((100 * done) / total)} %` : "Filling…";
}
