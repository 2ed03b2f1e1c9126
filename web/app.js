// The page: a picture, the hole painted over it, and what the worker makes of them. Nothing is sent anywhere.

import { paste, planes, shrinkage, surroundings } from "./pixels.js";

const COLOUR = "#ff2d55";
const STEPS = 40; // of undo
const PICTURES = 4; // kept for undo
const CLOSEST = 8; // pixels of the screen for one of the picture

const $ = (id) => document.getElementById(id);
const paper = $("picture").getContext("2d", { willReadFrequently: true });
const overlay = $("hole").getContext("2d", { willReadFrequently: true });
let original = null; // the photo as opened
let current = { picture: null, strokes: [] }; // never changed in place
let history = [];
let stroke = null;
let name = "picture";
let busy = false;
let zoom = 1; // times the size at which the whole picture is seen
const fingers = new Map(); // places of the touches on the picture
let worker = null;

// What is on show, for tests and curious visitors: the picture and the hole (one byte per pixel, 1 = fill).
export const picture = () => current.picture;
export function hole() {
  const { width, height } = current.picture;
  const { data } = overlay.getImageData(0, 0, width, height);
  return Uint8Array.from({ length: width * height }, (_, i) => (data[4 * i + 3] > 127 ? 1 : 0));
}

// ---- showing

function show(next, keep = true) {
  if (keep) {
    history.push(current);
    const pictures = () => new Set(history.map((step) => step.picture)).size;
    while (history.length > STEPS || pictures() > PICTURES) history.shift();
  }
  if (next.picture !== current.picture) draw(next.picture);
  current = next;
  drawHole();
  update();
}

function draw({ width, height, data }) {
  for (const canvas of [$("picture"), $("hole")]) {
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  }
  paper.putImageData(new ImageData(data, width, height), 0, 0);
}

function drawHole() {
  overlay.clearRect(0, 0, overlay.canvas.width, overlay.canvas.height);
  current.strokes.forEach(drawStroke);
}

function drawStroke({ tool, size, points }) {
  overlay.globalCompositeOperation = tool === "erase" ? "destination-out" : "source-over";
  overlay.fillStyle = overlay.strokeStyle = COLOUR;
  Object.assign(overlay, { lineWidth: size, lineCap: "round", lineJoin: "round" });
  overlay.beginPath();
  overlay.arc(...points[0], size / 2, 0, 2 * Math.PI);
  overlay.fill();
  overlay.beginPath();
  points.forEach((point) => overlay.lineTo(...point));
  overlay.stroke();
}

// Pixels of the screen for one of the picture when all of it is seen.
function wholeScale() {
  const { width, height } = current.picture, stage = $("stage");
  // With its border, since scroll bars come and go.
  return Math.min((stage.offsetWidth - 2) / width, (Math.max(stage.offsetHeight, 300) - 2) / height, 4);
}

function fit() {
  if (!current.picture) return;
  const { width, height } = current.picture, scale = wholeScale() * zoom;
  Object.assign($("sheet").style, { width: `${width * scale}px`, height: `${height * scale}px` });
  $("whole").textContent = zoom === 1 ? "Whole" : `${Math.round(100 * scale)} %`;
}

// Scales the view; the place of the picture under a point of the window stays there.
function zoomBy(factor, x, y) {
  if (!current.picture) return;
  const before = $("sheet").getBoundingClientRect();
  zoom = Math.min(Math.max(zoom * factor, 1), Math.max(CLOSEST / wholeScale(), 1));
  if (zoom < 1.02) zoom = 1;
  fit();
  const after = $("sheet").getBoundingClientRect();
  $("stage").scrollLeft += after.left + ((x - before.left) / before.width) * after.width - x;
  $("stage").scrollTop += after.top + ((y - before.top) / before.height) * after.height - y;
}

function zoomMiddle(factor) {
  const { left, top, width, height } = $("stage").getBoundingClientRect();
  zoomBy(factor, left + width / 2, top + height / 2);
}

function update() {
  const painted = current.strokes.length > 0;
  const opened = Boolean(current.picture);
  for (const id of ["tools", "work", "view", "result"]) $(id).disabled = !opened || busy;
  $("undo").disabled = history.length === 0;
  $("clear").disabled = $("fill").disabled = !painted;
  $("compare").disabled = current.picture === original;
  $("veil").hidden = !busy;
}

const say = (text) => ($("status").textContent = text);

function warn(text) {
  $("warning").hidden = !text;
  $("warning").textContent = text;
}

// ---- opening and saving

async function open(blob, title) {
  if (busy) return;
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    return say(`${title} cannot be shown by this browser; convert it to PNG or JPEG.`);
  }
  const { width, height } = bitmap;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  let data;
  try {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    data = context.getImageData(0, 0, width, height).data;
  } catch {
    return say(`${title} (${width}×${height}) is too large for this browser; shrink it first.`);
  } finally {
    bitmap.close();
  }
  name = title.replace(/\.[^.]*$/, "");
  original = { width, height, data };
  history = [];
  $("drop").hidden = true;
  $("sheet").hidden = false;
  show({ picture: original, strokes: [] }, false);
  zoom = 1;
  fit();
  $("size").max = Math.max(300, Math.round(Math.max(width, height) / 4));
  resizeBrush(Math.round(Math.max(width, height) / 12));
  update();
  warn(faithful() ? "" : "This browser alters pictures that pages read (protection against fingerprinting), also those saved here.");
  say(`${width}×${height} pixels. Paint over what should go, then press Fill.`);
}

// Whether pixels come back from a canvas as they were put there.
function faithful() {
  const context = Object.assign(document.createElement("canvas"), { width: 16, height: 16 }).getContext("2d");
  const put = new ImageData(16, 16);
  put.data.forEach((_, i) => (put.data[i] = i % 4 === 3 ? 255 : (i * 37) % 256));
  context.putImageData(put, 0, 0);
  return context.getImageData(0, 0, 16, 16).data.every((value, i) => value === put.data[i]);
}

async function save() {
  const blob = await new Promise((done) => $("picture").toBlob(done, "image/png"));
  if (!blob) return say("This browser could not write the PNG; the picture may be too large for it.");
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${name}-filled.png` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// ---- filling

function fill() {
  const { picture } = current, holes = hole();
  const limit = Number($("limit").value);
  const factor = shrinkage(holes, picture.width, picture.height);
  const box = surroundings(holes, picture.width, picture.height, limit * factor); // what is shrunk may as well see more
  if (!box || busy) return say("Paint over what should go first.");
  const size = planes(picture, holes, box, limit, factor);
  busy = true;
  update();
  worker ??= new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onerror = (event) => finish(`The worker failed: ${event.message || "it could not be loaded"}.`);
  worker.onmessage = ({ data }) => {
    if (data.kind === "stage") say(data.text);
    if (data.kind === "progress") progress(data);
    if (data.kind === "failed") finish(failure(data.text));
    if (data.kind === "filled") {
      busy = false;
      const shrunk = size.inner[0] < box.width ? `, shrunk from ${box.width}×${box.height}` : "";
      show({ picture: paste(picture, holes, box, data.output, size), strokes: [] });
      const where = data.device === "webgpu" ? "the GPU" : "the processor";
      finish(`Filled in ${data.seconds.toFixed(1)} s on ${where} (${size.width}×${size.height} pixels${shrunk}).`);
    }
  };
  const { image, mask, width, height } = size;
  worker.postMessage({ kind: "fill", device: $("device").value, image, mask, width, height }, [image.buffer, mask.buffer]);
}

function stop() {
  worker.terminate();
  worker = null;
  finish("Stopped.");
}

function progress({ done, total }) {
  $("progress").hidden = done >= total;
  if (total) $("progress").value = Math.min(done / total, 1);
}

function finish(text) {
  busy = false;
  $("progress").hidden = true;
  say(text);
  update();
}

function failure(text) {
  worker.terminate(); // a runtime that ran out of memory does not recover
  worker = null;
  const advice = /memory|alloc|abort|unreachable/i.test(text) ? " Choose a smaller side." : "";
  return `Not filled: ${text.replace(/\.?$/, ".")}${advice}`;
}

// ---- painting

const brush = () => Number($("size").value);
const tool = () => document.querySelector("input[name=tool]:checked").value;

function resizeBrush(size) {
  $("size").value = size;
  $("size-text").textContent = `${brush()} px`;
}

function place(event) {
  const box = $("picture").getBoundingClientRect();
  const scale = $("picture").width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}

function ring(event) {
  const box = $("picture").getBoundingClientRect();
  const side = `${(brush() * box.width) / $("picture").width}px`;
  const [left, top] = [`${event.clientX - box.left}px`, `${event.clientY - box.top}px`];
  Object.assign($("brush-ring").style, { width: side, height: side, left, top, visibility: busy ? "hidden" : "visible" });
}

// The middle of the touches and how far apart the first two are.
function spread() {
  const [one, two = one] = fingers.values();
  const [x, y] = [(one.clientX + two.clientX) / 2, (one.clientY + two.clientY) / 2];
  return { x, y, apart: Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY) };
}

function follow(before, after) {
  $("stage").scrollLeft += before.x - after.x;
  $("stage").scrollTop += before.y - after.y;
  if (before.apart > 0) zoomBy(after.apart / before.apart, after.x, after.y);
}

$("picture").addEventListener("pointerdown", (event) => {
  if (event.pointerType === "touch") fingers.set(event.pointerId, event);
  if (fingers.size > 1 && stroke) { // two fingers move the view; what one had begun to paint goes
    stroke = null;
    drawHole();
  }
  if (busy || event.button !== 0 || stroke || fingers.size > 1) return;
  $("picture").setPointerCapture(event.pointerId);
  stroke = { tool: tool(), size: brush(), points: [place(event)] };
  drawStroke(stroke);
  ring(event);
});
$("picture").addEventListener("pointermove", (event) => {
  if (fingers.has(event.pointerId)) {
    const before = spread();
    fingers.set(event.pointerId, event);
    if (fingers.size > 1) return follow(before, spread());
  }
  ring(event);
  if (!stroke) return;
  const events = event.getCoalescedEvents?.() ?? [];
  stroke.points.push(...(events.length ? events : [event]).map(place));
  drawStroke({ ...stroke, points: stroke.points.slice(-1 - Math.max(events.length, 1)) });
});
for (const end of ["pointerup", "pointercancel"]) {
  $("picture").addEventListener(end, (event) => {
    fingers.delete(event.pointerId);
    if (!stroke) return;
    const done = stroke;
    stroke = null;
    show({ picture: current.picture, strokes: [...current.strokes, done] });
  });
}
$("picture").addEventListener("pointerleave", () => ($("brush-ring").style.visibility = "hidden"));

// ---- controls

function undo() {
  if (busy || !history.length) return;
  show(history.pop(), false);
  say("Undone.");
}

$("undo").onclick = undo;
$("clear").onclick = () => show({ picture: current.picture, strokes: [] });
$("fill").onclick = fill;
$("stop").onclick = stop;
$("save").onclick = save;
$("in").onclick = () => zoomMiddle(1.5);
$("out").onclick = () => zoomMiddle(1 / 1.5);
$("whole").onclick = () => zoomMiddle(0);
$("stage").addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return; // it scrolls
  event.preventDefault(); // the page's own zoom
  const lines = event.deltaMode ? 20 : 1;
  zoomBy(Math.exp(-Math.max(Math.min(event.deltaY * lines, 100), -100) / 200), event.clientX, event.clientY);
}, { passive: false });
$("size").oninput = () => resizeBrush(brush());
$("choose").onclick = $("another").onclick = () => $("file").click();
$("file").onchange = () => {
  const [file] = $("file").files;
  if (file) open(file, file.name);
  $("file").value = "";
};
$("sample").onclick = async () => open(await (await fetch("sample.jpg")).blob(), "sample.jpg");

for (const [on, off] of [["pointerdown", "pointerup"], ["keydown", "keyup"]]) {
  $("compare").addEventListener(on, () => draw(original));
  $("compare").addEventListener(off, () => draw(current.picture));
}
for (const away of ["pointerleave", "blur"]) $("compare").addEventListener(away, () => current.picture && draw(current.picture));

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select") && event.target.type === "text") return;
  if ((event.ctrlKey || event.metaKey) && event.key === "z") {
    event.preventDefault();
    undo();
  }
  if (event.key === "[" || event.key === "]") {
    resizeBrush(Math.round(brush() * (event.key === "[" ? 1 / 1.2 : 1.2)));
  }
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((item) => item.type.startsWith("image/"));
  if (file) open(file, file.name);
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("stage").classList.toggle("over", kind === "dragover");
    const file = kind === "drop" && event.dataTransfer.files[0];
    if (file) open(file, file.name);
  });
}
new ResizeObserver(fit).observe($("stage"));
update();
