// Hides: what of the editor's state the page's elements show: which buttons can be pressed, what they are called, the
// sliders' values, zoom, facts, and the divider of the comparison.

import { WORDS } from "./engine.js";
import { tooltip } from "./keys.js";
import { details } from "./results.js";

const find = (selector) => document.querySelector(selector);

/** What an element needs in order to work, by the word in its data-needs. */
const NEEDS = {
  photo: ({ layers }) => Boolean(layers),
  undo: ({ history }) => history.done.length > 0,
  redo: ({ history }) => history.undone.length > 0,
  result: ({ results }) => Boolean(results.shown?.parent),
};
/** What of the model a tool needs, see Editor.lack. */
export const TOOL_NEEDS = { sketch: "takes_sketch", sources: "has_sources" };

/** What the file's format is called where the user has chosen none. */
const FORMATS = {
  "image/jpeg": "same as the photo (JPEG)",
  "image/png": "same as the photo (PNG)",
  "image/webp": "same as the photo (WebP)",
  "image/tiff": "same as the photo (TIFF)",
  "image/x-portable-anymap": "same as the photo (PPM)",
  "image/heic": "JPEG (HEIC can only be read)",
};

const WITHOUT_PHOTO = new Set(["open", "finish", "help", "close-help", "cancel", "colder", "warmer"]);

/** Whether an action can be taken now, by button or key. */
export function allows(editor, action) {
  const need = find(`[data-action="${action}"][data-needs]`)?.dataset.needs;
  return need ? NEEDS[need](editor) : WITHOUT_PHOTO.has(action) || NEEDS.photo(editor);
}

/** Texts that never change; once, at the start. */
export function labelButtons() {
  for (const button of document.querySelectorAll("[data-action]")) {
    const closes = button.querySelector("use")?.getAttribute("href") === "#i-close";
    const text = closes ? "Close" : tooltip(button.dataset.action);
    if (!text) continue;
    button.title = text;
    // Words that narrow windows leave out are no name there.
    if (!button.textContent.trim() || button.querySelector(".wide, .long")) button.setAttribute("aria-label", text);
  }
  for (const svg of document.querySelectorAll("button svg, label svg, section svg")) svg.setAttribute("aria-hidden", "true");
  find("#place").textContent = WORDS.place;
}

/** Brings everything up to date. */
export function display(editor, stage) {
  const { photo, brush, results } = editor;
  for (const element of document.querySelectorAll("[data-needs]")) {
    element.disabled = !NEEDS[element.dataset.needs](editor);
  }
  displayTools(editor);
  displayAbilities(editor);
  displaySliders(editor);
  displaySettings(editor);
  displayVersion(editor, stage);
  displayZoom(stage.view);
  exchange(find(".primary[data-action=fill]"), find("[data-action=cancel]"), Boolean(editor.filler.current));
  find("#empty").hidden = Boolean(photo);
  // Who has started the editor for one photo has no use for another, and the bar no room for both.
  find("[data-action=finish]").hidden = !editor.limits.output;
  find(".file [data-action=open]").hidden = Boolean(editor.limits.output);
  find("#zoom").hidden = !photo;
  find("#history").hidden = !photo;
  stage.element.dataset.cursor = photo ? brush.tool : "none";
  const marked = `${(100 * editor.share).toFixed(1)} % marked`;
  const frame = editor.marks?.frame;
  find("#facts").textContent = photo ? `${photo.name} · ${frame.width} × ${frame.height} · ${marked}` : "";
  document.title = photo ? `${photo.name} – temperfill` : "temperfill";
}

function displayTools(editor) {
  const { brush } = editor;
  for (const button of document.querySelectorAll("[data-tool]")) {
    const { tool } = button.dataset;
    const reason = TOOL_NEEDS[tool] ? editor.lack(TOOL_NEEDS[tool]) : null;
    button.setAttribute("aria-pressed", String(tool === brush.tool));
    button.setAttribute("aria-disabled", String(Boolean(reason)));
    name(button, reason ? `${tooltip(tool)}. ${reason}` : tooltip(tool));
  }
  displayShapes(editor);
  find("[data-action=marks]").setAttribute("aria-pressed", String(editor.marksOn));
  const clears = { mask: "the mask", sketch: "the lines", avoid: "the protection" };
  name(find("[data-action=clear]"), `Clear ${clears[brush.marks]} (Delete)`);
  for (const button of document.querySelectorAll("[data-protect]")) {
    button.setAttribute("aria-pressed", String((button.dataset.protect === "off") === brush.erases));
    button.disabled = Boolean(editor.lack("takes_avoid"));
  }
}

/** Greys out what engine or model cannot do, and says why: in the tooltip, and in words where there is a place for them. */
function displayAbilities(editor) {
  for (const element of document.querySelectorAll("[data-ability]")) {
    const { ability, action } = element.dataset;
    const reason = editor.lack(ability) ?? "";
    if (action) {
      element.setAttribute("aria-disabled", String(Boolean(reason))); // it answers why
      name(element, [tooltip(action), reason].filter(Boolean).join(". "));
    } else {
      element.disabled = Boolean(reason);
      element.title = reason;
    }
    const words = find(`[data-why=${ability}]`);
    if (!words) continue;
    words.hidden = !reason;
    words.textContent = reason;
  }
}

/** A button that opens a menu of tools shows the one at hand. */
function displayShapes({ brush: { tool, erases }, marking }) {
  for (const menu of ["shapes", "retouch"]) {
    const button = find(`#${menu}-button`);
    const own = find(`#${menu}-menu [data-tool="${tool}"] use`);
    if (own) button.querySelector("use").setAttribute("href", own.getAttribute("href"));
    button.setAttribute("aria-pressed", String(Boolean(own)));
  }
  const pressed = { erase: erases, snap: marking.snaps, "at-once": marking.fillsAtOnce };
  for (const [action, on] of Object.entries(pressed)) {
    for (const each of document.querySelectorAll(`[data-action="${action}"]`)) each.setAttribute("aria-pressed", String(on));
  }
  find("#shapes-button").classList.toggle("snaps", marking.snaps);
}

function displaySliders(editor) {
  const { brush, settings: { temperature } } = editor;
  const slider = find("#size");
  if (Math.abs(slider.value - brush.slider) >= 0.5) slider.value = brush.slider;
  slider.setAttribute("aria-valuetext", `${brush.size} pixels of the photo`);
  find("#size-value").textContent = `${brush.size} px`;
  const text = temperature.toFixed(2);
  const heat = find("#temperature");
  const position = Math.log2(temperature);
  if (Math.abs(heat.value - position) > 0.01) heat.value = position;
  heat.disabled = Boolean(editor.lack("takes_temperature"));
  heat.title = editor.lack("takes_temperature") ?? "Temperature of the fill; 1 = as learned";
  heat.setAttribute("aria-valuetext", temperature === 1 ? "1, as learned" : text);
  find("#temperature-value").textContent = heat.disabled ? "–" : text;
}

function displaySettings(editor) {
  const { settings } = editor;
  const shown = editor.lack("copies_texture") ? { ...settings, texture: "network" } : { ...settings };
  displayModels(editor.models);
  shown.model = editor.model?.name ?? "";
  for (const name of ["feather", "texture", "model"]) {
    const input = find(`#options [name=${name}]`);
    if (input !== document.activeElement) input.value = shown[name];
  }
}

/** Where the bar has no room for the temperature, it stands among the options. */
export function placeTemperature() {
  const narrow = window.matchMedia("(max-width: 820px)");
  const place = () => {
    if (narrow.matches) find("#options h2").after(find("#heat"));
    else find(".group.heat").prepend(find("#heat"));
  };
  narrow.addEventListener("change", place);
  place();
}

/** The models to choose from, each with its terms of use. */
function displayModels({ offered }) {
  const select = find("#model");
  const entries = offered.map(({ name, terms }) => new Option(terms ? `${name}: ${terms}` : name, name));
  if (entries.map(({ text }) => text).join() === [...select.options].map(({ text }) => text).join()) return;
  select.replaceChildren(...entries);
}

/** What the choice of a format says for a photo. */
export function displayFormats(editor) {
  const { results, limits } = editor;
  const own = results.versions[0].blob.type;
  const chosen = find("#format").value;
  find("#format option").textContent = FORMATS[own] ?? "same as the photo";
  const isLossy = chosen ? /jpeg|webp/.test(chosen) : /jpeg|webp|avif|heic/.test(own);
  find("#quality").closest("label").hidden = !isLossy;
  const isAsPhoto = own === "image/jpeg" && (!chosen || chosen === "jpeg") && !editor.lack("keeps_quality");
  find("#quality option").textContent = isAsPhoto ? "as the photo" : "usual (95)";
  const kept = isLossy ? "The picture was without loss until now; it is encoded once." : "Every pixel outside the mask stays exactly.";
  find("#save-note").textContent = [kept, limits.loss, editor.lack("writes_tiff")].filter(Boolean).join(" ");
}

function displayVersion({ results, comparing }, stage) {
  const version = results.shown;
  if (!version) return;
  find("#version-title").textContent = version.title;
  if (find("#version-name") !== document.activeElement) find("#version-name").value = version.title;
  find("#version-details").textContent = details(version);
  find("[data-action=compare]").setAttribute("aria-pressed", String(comparing));
  displayDivider(stage);
}

export function displayDivider(stage) {
  const divider = find("#divider");
  divider.hidden = !stage.before;
  divider.value = stage.divider * 100;
}

export function displayZoom({ percent }) {
  const text = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
  find("#zoom-value").textContent = text;
  find("#zoom-value").setAttribute("aria-label", `${text}, to actual pixels`);
}

/** Shows one of two buttons in the same place; the focus stays there. */
function exchange(first, second, useSecond) {
  const [from, to] = useSecond ? [first, second] : [second, first];
  const hadFocus = document.activeElement === from;
  from.hidden = true;
  to.hidden = false;
  if (hadFocus) to.focus();
}

function name(element, text) {
  element.title = text;
  element.setAttribute("aria-label", text);
}

/** The line between before and after, for the stage's overlays. */
export function drawDivider(context, view, stage) {
  if (!stage.before) return;
  const [x, y] = [stage.dividerX(), view.height / 2];
  const { ratio } = view;
  context.fillStyle = "rgb(0 0 0 / 60%)";
  context.fillRect(x - 1.5 * ratio, 0, 3 * ratio, view.height);
  context.fillStyle = "#fff";
  context.fillRect(x - ratio / 2, 0, ratio, view.height);
  context.beginPath();
  context.arc(x, y, 13 * ratio, 0, 2 * Math.PI);
  context.fill();
  context.strokeStyle = "#333";
  context.lineWidth = 1.5 * ratio;
  context.beginPath();
  for (const side of [-1, 1]) {
    context.moveTo(x + side * 4 * ratio, y - 4 * ratio);
    context.lineTo(x + side * 8 * ratio, y);
    context.lineTo(x + side * 4 * ratio, y + 4 * ratio);
  }
  context.stroke();
}
