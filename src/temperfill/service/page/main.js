// Hides: the page's elements: which button, key, slider, drop or paste becomes which command of the editor, and what of
// its state each element shows.

import {
  allows,
  display,
  displayDivider,
  displayFormats,
  displayZoom,
  drawDivider,
  labelButtons,
  placeTemperature,
  TOOL_NEEDS,
} from "./display.js";
import { markDust } from "./dust.js";
import { Editor } from "./editor.js";
import { WORDS } from "./engine.js";
import { Extending } from "./extending.js";
import { listen } from "./gestures.js";
import { receiveFiles } from "./incoming.js";
import { actionOf, listKeys } from "./keys.js";
import { complain, hush, say } from "./notices.js";
import { finish, hasPlace, saveInPlace } from "./output.js";
import { Queue } from "./queue.js";
import { placesToSave, save as saveResult } from "./saving.js";
import { SHAPES } from "./selecting.js";
import { Stage } from "./stage.js";
import { Tools } from "./tools.js";

const TOOLS = ["mask", ...SHAPES, "sketch", "pan", "extend", "heal", "clone", "sources"];
const ZOOM_STEP = 1.25;

const find = (selector) => document.querySelector(selector);
const stage = new Stage(find("#stage"));
const editor = new Editor(stage, {
  strip: find("#history"),
  sourcesPanel: find("#sources"),
  triesPanel: find("#tries"),
  retouchPanel: find("#retouch"),
  onChange: refresh,
  onOpened: (file) => queue.opened(file),
  onSaved: () => queue.markSaved(),
  onQueue: (kept, files) => queue.restore(kept, files),
  onPlace: () => {
    if (["sources", "extend"].includes(brush.tool)) setTool("mask");
  },
  onReframe: () => tools.leave(),
});
const { brush, marking, results } = editor;
const tools = new Tools(editor, setDivider);
const extending = new Extending(editor, find("#extend"), find("#area"), { onLeave: () => setTool("mask") });
const queue = new Queue(find("#queue"), {
  onChoose: (file) => editor.attempt(() => editor.open(file)).then(() => queue.show()),
  onChange: () => {
    editor.queue = queue.state;
    editor.changed();
  },
  keep: (name, files) => editor.session.keepFiles(name, files),
});
let spaceHeld = false;

// Commands ------------------------------------------------------------------------------------------------------------

const choose = (selector) => () => find(selector).click();
const heatBy = (step) => () => {
  const power = Math.min(Math.max(Math.log2(editor.settings.temperature) + step * 0.5, -2), 2);
  editor.set({ temperature: rounded(2 ** power) });
};
const rounded = (temperature) => Number(temperature.toFixed(3));
const ACTIONS = {
  open: choose("#photo-file"),
  "next-photo": () => queue.next(),
  save,
  undo: () => editor.attempt(() => editor.travel("undo")),
  redo: () => editor.attempt(() => editor.travel("redo")),
  erase: () => {
    brush.erases = !brush.erases;
    refresh();
  },
  snap: () => toggle("snaps"),
  "at-once": () => toggle("fillsAtOnce"),
  resize,
  clear: () => marking.clear(brush.marks),
  "clear-mask": () => marking.clear("mask"),
  "clear-sketch": () => marking.clear("sketch"),
  "clear-avoid": () => marking.clear("avoid"),
  invert: () => marking.invert(),
  "set-source": () => editor.retouch.isOn && editor.retouch.pick(!editor.retouch.picking),
  dust: () => editor.attempt(() => markDust(editor), { label: "Try again", run: () => run("dust") }),
  marks: () => editor.showMarks(!editor.marksOn),
  "load-mask": choose("#mask-file"),
  "load-sketch": choose("#sketch-file"),
  "load-avoid": choose("#avoid-file"),
  "save-mask": () => editor.attempt(() => marking.save("mask")),
  "save-sketch": () => editor.attempt(() => marking.save("sketch")),
  "save-avoid": () => editor.attempt(() => marking.save("avoid")),
  smaller: () => resizeBrush(() => brush.step(-1)),
  larger: () => resizeBrush(() => brush.step(1)),
  colder: heatBy(-1),
  warmer: heatBy(1),
  fill,
  close: () => editor.attempt(() => editor.close(() => window.location.reload())),
  cancel: () => editor.attempt(() => editor.filler.cancel()),
  finish: () => editor.attempt(() => finish(editor)),
  tries: () => editor.attempt(() => editor.filler.tryMore()),
  "close-tries": () => editor.filler.close(),
  before: () => peek(true),
  "delete-version": () => editor.attempt(() => editor.delete()),
  compare: () => editor.attempt(() => editor.compare(!editor.comparing)),
  previous: () => editor.attempt(() => editor.choose(results.neighbour(-1))),
  next: () => editor.attempt(() => editor.choose(results.neighbour(1))),
  "zoom-in": () => changeView((view) => view.zoomTo(view.scale * ZOOM_STEP)),
  "zoom-out": () => changeView((view) => view.zoomTo(view.scale / ZOOM_STEP)),
  fit: () => changeView((view) => view.fit()),
  actual: () => changeView((view) => view.zoomTo(1)),
  help: () => find("#help").showModal(),
  "close-help": () => find("#help").close(),
  "close-sources": () => setTool("mask"),
  ...Object.fromEntries(TOOLS.map((tool) => [tool, () => setTool(tool)])),
};

function run(action) {
  if (allows(editor, action)) ACTIONS[action]();
}

function fill() {
  const form = find("#options");
  if (!form.checkValidity()) {
    form.showPopover();
    form.reportValidity();
    return;
  }
  editor.attempt(() => editor.filler.fill(), { label: "Try again", run: fill });
}

/** Turns a way of marking on or off. */
function toggle(way) {
  marking[way] = !marking[way];
  refresh();
}

async function resize() {
  const slider = find("#resize input");
  if (!(await marking.resize())) return;
  slider.value = 0;
  slider.dispatchEvent(new Event("input"));
  find("#resize").returnValue = "no";
  find("#resize").showModal();
}

function peek(on) {
  editor.attempt(() => editor.peek(on));
}

function save() {
  if (hasPlace(editor)) {
    editor.attempt(() => saveInPlace(editor), { label: "Try again", run: save });
    return;
  }
  displayFormats(editor);
  find("#save").returnValue = "no";
  find("#save").showModal();
}

function setTool(tool) {
  const lack = TOOL_NEEDS[tool] && editor.lack(TOOL_NEEDS[tool]);
  if (lack) {
    complain(editor.model ? `${lack} ${WORDS.another}` : lack);
    return;
  }
  tools.leave();
  brush.tool = tool;
  if (tool === "sources") editor.sources.open(editor.sourcesHint());
  else editor.sources.close();
  if (tool === "extend") extending.open();
  else extending.close();
  brush.erases = false;
  editor.retouch.show();
  if (brush.isPainting && brush.target !== "retouch" && !editor.marksOn) editor.showMarks(true);
  if (tool === "sketch") say("Draw lines inside the marked area; outside they have no effect.");
  brush.showRing();
  refresh();
}

function changeView(change) {
  change(stage.view);
  stage.moved();
}

function resizeBrush(change) {
  change();
  refresh();
}

function refresh() {
  display(editor, stage);
  if (extending.isOpen) extending.show();
}

// Pointer, keys, files ------------------------------------------------------------------------------------------------

listen(stage.element, {
  ratio: () => stage.view.ratio,
  pans: () => spaceHeld || ["pan", "extend"].includes(brush.tool) || !editor.layers,
  begin: (point, event) => tools.begin(point, event),
  move: (points) => tools.move(points),
  end: () => tools.end(),
  abort: () => tools.abort(),
  doubleTap: (point) => changeView((view) => (view.fitted ? view.zoomTo(3 * view.scale, ...point) : view.fit())),
  pan: (right, down) => changeView((view) => view.panBy(right, down)),
  zoom: (factor, point) => changeView((view) => view.zoomTo(view.scale * factor, ...point)),
  hover: (point) => tools.hover(point),
});

function setDivider(share) {
  stage.divider = Math.min(Math.max(share, 0), 1);
  stage.redraw("photo", "overlay");
  displayDivider(stage);
}

// Painting takes the focus from buttons, so that Enter and Space are the photo's, but draws no focus ring around it.
stage.element.addEventListener("mousedown", (event) => {
  event.preventDefault();
  if (document.activeElement !== stage.element) document.activeElement?.blur();
});

document.addEventListener("keydown", (event) => {
  const here = event.target === stage.element || event.target === document.body;
  if (!here || !editor.layers || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!(brush.tool === "extend" ? extendKey(event) : tools.key(event))) return;
  event.preventDefault();
  event.stopImmediatePropagation();
});

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open], :popover-open")) return;
  if (event.key === " " && !event.target.closest?.("button, input:not([type=range]), select")) {
    spaceHeld = true;
    stage.element.classList.add("panning");
    event.preventDefault();
    return;
  }
  const action = actionOf(event);
  if (!action) return;
  event.preventDefault();
  if (action === "cancel" && !editor.filler.current) hush();
  else if (!event.repeat || ["smaller", "larger", "undo", "redo", "zoom-in", "zoom-out"].includes(action)) run(action);
});

/** Keys while the photo has the focus and is being extended. */
function extendKey({ key }) {
  if (key === "Enter") extending.apply();
  else if (key === "Escape") setTool("mask");
  else return false;
  return true;
}

const releaseSpace = () => {
  spaceHeld = false;
  stage.element.classList.remove("panning");
};
document.addEventListener("keyup", (event) => {
  if (event.key === " ") releaseSpace();
  if (actionOf(event) === "before") peek(false);
});
window.addEventListener("blur", () => {
  releaseSpace();
  peek(false);
});
const hold = find("[data-hold=before]");
hold.addEventListener("pointerdown", () => peek(true));
for (const name of ["pointerup", "pointerleave", "pointercancel"]) hold.addEventListener(name, () => peek(false));
hold.addEventListener("contextmenu", (event) => event.preventDefault());

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action], [data-tool]");
  if (!button) return;
  run(button.dataset.action ?? button.dataset.tool);
  button.closest(".menu")?.hidePopover();
  // A button that was pressed by pointer would else take the Space bar and Enter that are meant for the photo.
  if (event.detail > 0) document.activeElement?.blur();
});

receiveFiles({
  photo: (files) => queue.take(files),
  mask: ([file]) => editor.attempt(() => marking.load("mask", file)),
  sketch: ([file]) => editor.attempt(() => marking.load("sketch", file)),
  avoid: ([file]) => editor.attempt(() => marking.load("avoid", file)),
});
find("#size").addEventListener("input", (event) => resizeBrush(() => (brush.slider = Number(event.target.value))));
find("#temperature").addEventListener("input", (event) => {
  editor.set({ temperature: rounded(2 ** Number(event.target.value)) });
});
find("#temperature").addEventListener("dblclick", () => editor.set({ temperature: 1 }));
placeTemperature();
for (const input of document.querySelectorAll("#options [name]")) {
  input.addEventListener("change", () => {
    if (!input.validity.valid) return;
    editor.set({ [input.name]: input.type === "number" ? Number(input.value) : input.value });
  });
}
find("#version-name").addEventListener("change", (event) => editor.rename(event.target.value));
for (const button of document.querySelectorAll("[data-protect]")) {
  button.addEventListener("click", () => {
    brush.erases = button.dataset.protect === "off";
    refresh();
  });
}
for (const name of ["#format", "#quality"]) find(name).addEventListener("input", () => displayFormats(editor));
find("#save").addEventListener("close", (event) => {
  if (event.target.returnValue !== "yes") return;
  const [format, quality, place] = ["#format", "#quality", "#place-to-save"].map((field) => find(field).value);
  editor.attempt(() => saveResult(editor, { format, quality, place }), { label: "Try again", run: save });
});
for (const [place, can] of Object.entries(placesToSave())) find(`#place-to-save [value="${place}"]`).hidden = !can;
find("#resize input").addEventListener("input", ({ target: { value } }) => {
  find("#resize output").textContent = `${value > 0 ? "+" : ""}${value} px`;
  marking.showResized(Number(value));
});
find("#resize").addEventListener("close", (event) => marking.endResizing(event.target.returnValue === "yes"));
find("#divider").addEventListener("input", (event) => setDivider(event.target.value / 100));
find("#options").addEventListener("submit", (event) => event.preventDefault());

window.addEventListener("beforeunload", (event) => {
  if (editor.hasWork && !editor.session.isSafe) event.preventDefault(); // what is kept comes back
});

for (const menu of document.querySelectorAll(".menu")) {
  menu.addEventListener("toggle", (event) => {
    if (event.newState !== "open") return;
    const anchor = find(`[popovertarget=${menu.id}]`).getBoundingClientRect();
    const below = anchor.bottom + 6;
    const fits = below + menu.offsetHeight <= window.innerHeight;
    menu.style.top = `${Math.max(fits ? below : anchor.top - 6 - menu.offsetHeight, 6)}px`;
    menu.style.left = `${Math.max(Math.min(anchor.left, window.innerWidth - menu.offsetWidth - 6), 6)}px`;
  });
}

labelButtons();
listKeys(find("#help .keys"));
stage.onView = (view) => {
  displayZoom(view);
  extending.place();
  brush.showRing();
};
stage.overlays.push((context, view) => drawDivider(context, view, stage));
refresh();
const begin = () => editor.attempt(() => editor.begin(), { label: "Try again", run: begin });
begin();
