// Hides: which key does what. The table below is at once the dispatch, the tooltips and the help panel.

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.platform);

// [action, keys, what it does]; "Mod" is Ctrl, or Command on a Mac.
const TABLE = [
  ["File", [
    ["open", ["Mod+O"], "Open a photo, or several to work through (or drop or paste them)"],
    ["next-photo", ["N"], "Next photo of several"],
    ["save", ["Mod+S"], "Save the result, in a format of your choice"],
  ]],
  ["Tools", [
    ["mask", ["B"], "Brush: paint over what should be filled"],
    ["rectangle", ["R"], "Mark a rectangle"],
    ["lasso", ["O"], "Mark what you draw around (lasso)"],
    ["polygon", ["P"], "Mark a polygon, corner by corner"],
    ["erase", ["E"], "Erase with the tool at hand, or mark again (or hold Alt)"],
    ["snap", ["A"], "Snap to object: a rough stroke or shape marks the object there"],
    ["sketch", ["L"], "Lines that the fill should follow"],
    ["pan", ["H"], "Move the photo"],
    ["extend", ["X"], "Extend the photo: drag its edges outwards, or give numbers"],
    ["heal", ["J"], "Heal: copy texture from a place that you choose, with the tone of where it lands"],
    ["clone", ["K"], "Clone: copy from a place that you choose"],
    ["set-source", ["S"], "Set the place that heal and clone copy from (or Alt + click)"],
    ["sources", ["W"], "Where did it come from: click a filled place; drag over what must not be copied from"],
    ["smaller", ["["], "Smaller brush"],
    ["larger", ["]"], "Larger brush"],
  ]],
  ["Marks", [
    ["undo", ["Mod+Z"], "Undo marks, fills and settings"],
    ["redo", ["Mod+Shift+Z", "Mod+Y"], "Redo"],
    ["clear", ["Delete", "Backspace"], "Clear the mask, or the lines with a line tool"],
    ["resize", ["G"], "Grow or shrink the mask"],
    ["invert", ["I"], "Invert the mask"],
    ["dust", ["D"], "Find dust and scratches, and mark them"],
    ["marks", ["M"], "Show or hide mask and lines"],
  ]],
  ["Fill", [
    ["fill", ["Mod+Enter", "F"], "Fill; without marks, fill the same again"],
    ["at-once", ["Q"], "Fill at once, as soon as a mark is finished"],
    ["tries", ["T"], "Other tries of this fill, side by side"],
    ["cancel", ["Escape"], "Cancel the fill"],
    ["colder", [","], "Lower temperature"],
    ["warmer", ["."], "Higher temperature"],
    ["compare", ["C"], "Compare before and after"],
    ["before", ["\\"], "Before: as long as it is held"],
    ["previous", ["PageUp"], "Previous version"],
    ["next", ["PageDown"], "Next version"],
  ]],
  ["View", [
    ["zoom-in", ["+", "="], "Zoom in"],
    ["zoom-out", ["-"], "Zoom out"],
    ["fit", ["0"], "Whole photo"],
    ["actual", ["1"], "Actual pixels"],
    ["help", ["?"], "Keys and gestures"],
  ]],
];

// Said in the help only; handled where the pointer and the stage are.
const GESTURES = [
  ["Wheel", "Zoom at the pointer"],
  ["Two fingers", "Move and zoom, on a touch screen or trackpad"],
  ["Double tap", "Zoom in there, and out again"],
  ["Space + drag", "Move the photo"],
  ["Shift + click", "Straight line from the end of the last stroke"],
  ["Click", "A corner of a polygon; on the first or last corner: close it (or Enter)"],
  ["Enter, arrows", "While the photo is extended: extend; move the edge that has the focus, with Shift further"],
  ["Arrows", "Move the pen while the photo has the focus, with Shift further"],
  ["Enter", "Put the pen down and lift it; a corner of a shape; ask where this place came from"],
];
const TOUCHED = new Set(["Two fingers", "Double tap"]); // all that fingers can do

const BUTTONS = [".bar button", ".version button", "#shapes-menu button", "#retouch-menu button"]; // listed for fingers

const NAMES = { Escape: "Esc", PageUp: "Page up", PageDown: "Page down", "-": "−", ",": "Comma", ".": "Period" };
const UNSAID = new Set(["="]); // plus without Shift

function shown(key) {
  const parts = key === "+" ? ["+"] : key.split("+");
  return parts.map((part) => (part === "Mod" ? (IS_MAC ? "⌘" : "Ctrl") : (NAMES[part] ?? part))).join("+");
}

const ALL = TABLE.flatMap(([, rows]) => rows);

/** What an action does, in short; null for none of the table. */
function purpose(action) {
  const row = ALL.find(([name]) => name === action);
  return row ? row[2].split(/ \(or|; drag/)[0] : null;
}

/** What a button says when the pointer rests on it. */
export function tooltip(action) {
  const [, keys] = ALL.find(([name]) => name === action) ?? [];
  return keys ? `${purpose(action)} (${shown(keys[0])})` : null;
}

/** The action of a key event, or null. Keys that a focused control needs for itself stay its own. */
export function actionOf(event) {
  const thirdLevel = event.getModifierState("AltGraph"); // reported as Ctrl and Alt on some systems
  const mod = IS_MAC ? event.metaKey : event.ctrlKey && !thirdLevel;
  if ((event.altKey && !thirdLevel) || (IS_MAC ? event.ctrlKey : event.metaKey) || event.isComposing) return null;
  const target = event.target instanceof Element ? event.target : document.body;
  if (!mod && event.key !== "Escape" && target.closest("input:is([type=number], [type=text]), select, dialog, [popover]")) return null;
  const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  if (target.matches("input[type=range]") && /^Page/.test(key)) return null;
  const letter = /^[A-Z]$/.test(key) || key.length > 1;
  const name = (mod ? "Mod+" : "") + (event.shiftKey && letter ? "Shift+" : "") + key;
  return ALL.find(([, keys]) => keys.includes(name))?.[0] ?? null;
}

/** Fills the help panel. */
export function listKeys(panel) {
  const section = (title, rows) => {
    const part = document.createElement("section");
    const list = document.createElement("dl");
    part.append(Object.assign(document.createElement("h3"), { textContent: title }), list);
    for (const [keys, text] of rows) {
      const term = document.createElement("dt");
      keys.forEach((key, at) => {
        if (at) term.append(" or ");
        term.append(key instanceof Element ? key : Object.assign(document.createElement("kbd"), { textContent: key }));
      });
      list.append(term, Object.assign(document.createElement("dd"), { textContent: text }));
    }
    return part;
  };
  const said = ([, keys, text]) => [keys.filter((key) => !UNSAID.has(key)).map(shown), text];
  const hasKeys = !window.matchMedia("(pointer: coarse)").matches;
  const gestures = GESTURES.filter(([name]) => hasKeys || TOUCHED.has(name));
  const keyed = hasKeys ? TABLE.map(([title, rows]) => section(title, rows.map(said))) : [];
  const buttons = hasKeys ? [] : [section("Buttons", pictured())];
  panel.replaceChildren(section("Gestures", gestures.map(([name, text]) => [[name], text])), ...buttons, ...keyed);
}

/** What the buttons with a picture do, for those who see no tooltips. */
function pictured() {
  const found = [...document.querySelectorAll(BUTTONS.join())].filter((button) => button.querySelector("svg"));
  const rows = found.map((button) => {
    const name = purpose(button.dataset.action ?? button.dataset.tool) ?? button.getAttribute("aria-label");
    return [[button.querySelector("svg").cloneNode(true)], name];
  });
  return rows.filter(([, name]) => name);
}
