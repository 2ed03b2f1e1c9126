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
  TOOL_NEEDS,
} from "./display.js";
import { Editor } from "./editor.js";
import { WORDS } from "./engine.js";
import { listen } from "./gestures.js";
import { receiveFiles } from "./incoming.js";
import { actionOf, listKeys } from "./keys.js";
import { complain, hush, say } from "./notices.js";
import { finish, hasPlace, saveInPlace } from "./output.js";
import { Stage } from "./stage.js";

const TOOLS = ["mask", "mask-eraser", "sketch", "sketch-eraser", "pan", "sources"];
const GRIP = 18; // CSS pixels around the divider in which it can be taken
const ZOOM_STEP = 1.25;
const DRAG = 4; // CSS pixels from which a click is a stroke

const find = (selector) => document.querySelector(selector);
const stage = new Stage(find("#stage"));
const editor = new Editor(stage, {
  strip: find("#history"),
  sourcesPanel: find("#sources"),
  triesPanel: find("#tries"),
  onChange: refresh,
});
const { brush, results } = editor;
let spaceHeld = false;
let movesDivider = false;
let pressed = null; // {point, event} of the tool that asks, until it is known whether it asks or protects

// Commands ------------------------------------------------------------------------------------------------------------

const choose = (selector) => () => find(selector).click();
const heatBy = (step) => () => {
  const power = Math.min(Math.max(Math.log2(editor.settings.temperature) + step * 0.5, -2), 2);
  editor.set({ temperature: rounded(2 ** power) });
};
const rounded = (temperature) => Number(temperature.toFixed(3));
const ACTIONS = {
  open: choose("#photo-file"),
  save,
  undo: () => editor.attempt(() => editor.travel("undo")),
  redo: () => editor.attempt(() => editor.travel("redo")),
  clear: () => editor.clear(brush.target),
  "clear-mask": () => editor.clear("mask"),
  "clear-sketch": () => editor.clear("sketch"),
  "clear-avoid": () => editor.clear("avoid"),
  invert: () => editor.invert(),
  marks: () => editor.showMarks(!editor.marksOn),
  "load-mask": choose("#mask-file"),
  "load-sketch": choose("#sketch-file"),
  "load-avoid": choose("#avoid-file"),
  "save-mask": () => editor.attempt(() => editor.saveMarks("mask")),
  "save-sketch": () => editor.attempt(() => editor.saveMarks("sketch")),
  "save-avoid": () => editor.attempt(() => editor.saveMarks("avoid")),
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
  brush.end();
  brush.tool = tool;
  if (tool === "sources") editor.sources.open(editor.sourcesHint());
  else editor.sources.close();
  brush.unprotects = false;
  if (brush.isPainting && !editor.marksOn) editor.showMarks(true);
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
}

// Pointer, keys, files ------------------------------------------------------------------------------------------------

listen(stage.element, {
  ratio: () => stage.view.ratio,
  pans: () => spaceHeld || brush.tool === "pan" || !editor.layers,
  begin(point, event) {
    movesDivider = Boolean(stage.before) && Math.abs(point[0] - stage.dividerX()) < GRIP * stage.view.ratio;
    if (movesDivider) return;
    if (brush.tool === "sources") pressed = { point, event };
    else brush.begin(point, event);
  },
  move(points) {
    if (movesDivider) setDivider(stage.view.toImage(...points.at(-1))[0] / stage.view.imageWidth);
    else if (pressed && isFar(points.at(-1), pressed.point) && !editor.lack("takes_avoid")) {
      brush.begin(pressed.point, pressed.event);
      pressed = null;
    }
    if (!movesDivider && !pressed) brush.move(points);
  },
  end() {
    if (pressed) askSources(stage.view.toImage(...pressed.point));
    else brush.end();
    pressed = null;
  },
  abort() {
    pressed = null;
    brush.abort();
  },
  doubleTap: (point) => changeView((view) => (view.fitted ? view.zoomTo(3 * view.scale, ...point) : view.fit())),
  pan: (right, down) => changeView((view) => view.panBy(right, down)),
  zoom: (factor, point) => changeView((view) => view.zoomTo(view.scale * factor, ...point)),
  hover: (point) => brush.hover(point),
});

const isFar = ([x0, y0], [x1, y1]) => Math.hypot(x1 - x0, y1 - y0) > DRAG * stage.view.ratio;

function askSources(point) {
  const [column, row] = point.map(Math.floor);
  editor.attempt(() => editor.askSources(column, row));
}

function setDivider(share) {
  stage.divider = Math.min(Math.max(share, 0), 1);
  stage.redraw("photo", "overlay");
  displayDivider(stage);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Painting takes the focus from buttons, so that Enter and Space are the photo's, but draws no focus ring around it.
stage.element.addEventListener("mousedown", (event) => {
  event.preventDefault();
  if (document.activeElement !== stage.element) document.activeElement?.blur();
});

document.addEventListener("keydown", (event) => {
  const here = event.target === stage.element || event.target === document.body;
  if (!here || !editor.layers || event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  if (arrow && brush.tool === "pan") changeView((view) => view.panBy(...arrow.map((side) => -60 * side * view.ratio)));
  else if (arrow) brush.nudge(...arrow, event.shiftKey);
  else if (event.key !== "Enter" || brush.tool === "pan" || event.repeat) return;
  else if (brush.tool !== "sources") say(brush.togglePen() ? "Pen down." : "Pen lifted.");
  else {
    const { column, row } = brush.keyboardPen();
    askSources([column, row]);
  }
  event.preventDefault();
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
  photo: (file) => editor.attempt(() => editor.open(file)),
  mask: (file) => editor.attempt(() => editor.loadMarks("mask", file)),
  sketch: (file) => editor.attempt(() => editor.loadMarks("sketch", file)),
  avoid: (file) => editor.attempt(() => editor.loadMarks("avoid", file)),
});
find("#size").addEventListener("input", (event) => resizeBrush(() => (brush.slider = Number(event.target.value))));
find("#temperature").addEventListener("input", (event) => {
  editor.set({ temperature: rounded(2 ** Number(event.target.value)) });
});
find("#temperature").addEventListener("dblclick", () => editor.set({ temperature: 1 }));
for (const input of document.querySelectorAll("#options [name]")) {
  input.addEventListener("change", () => {
    if (!input.validity.valid) return;
    editor.set({ [input.name]: input.type === "number" ? Number(input.value) : input.value });
  });
}
for (const button of document.querySelectorAll("[data-protect]")) {
  button.addEventListener("click", () => {
    brush.unprotects = button.dataset.protect === "off";
    refresh();
  });
}
for (const name of ["#format", "#quality"]) find(name).addEventListener("input", () => displayFormats(editor));
find("#save").addEventListener("close", (event) => {
  if (event.target.returnValue !== "yes") return;
  const wanted = { format: find("#format").value, quality: find("#quality").value };
  editor.attempt(() => editor.save(wanted), { label: "Try again", run: save });
});
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
  brush.showRing();
};
stage.overlays.push((context, view) => drawDivider(context, view, stage));
refresh();
const begin = () => editor.attempt(() => editor.begin(), { label: "Try again", run: begin });
begin();
