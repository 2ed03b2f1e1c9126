// Hides: mouse, pen, touch, wheel and trackpad. What comes out is: a tool drag, a pan, a zoom, or the pointer hovering;
// all points in device pixels of the stage.

const SECOND_FINGER = 350; // ms in which a second finger turns a stroke that has begun into a pinch
const SHORT = 24; // CSS pixels of a stroke up to which it does so at any time
const SLOP = 6; // CSS pixels that a finger moves before it draws: until then it may be the first of two
const DOUBLE_TAP = 260; // ms between two taps that zoom
const NEAR = 40; // CSS pixels between them
const WHEEL_BURST = 200; // ms of silence after which a new turn of the wheel begins
const BUTTONS = [0, 1, 5]; // that drag: left or contact, middle, the eraser of a pen
const WHEEL_STEP = 50; // CSS pixels: a mouse wheel's first step is larger, a trackpad's smaller

/**
 * @param {HTMLElement} element receives the events
 * @param {Object} handlers ratio(), pans(event), begin(point, event), move(points, event), end(), abort(), pan(dx, dy),
 *   zoom(factor, point), doubleTap(point), hover(point or null)
 */
export function listen(element, handlers) {
  const fingers = new Map();
  let mode = null; // "tool", "pan", "pinch", "wait": a finger that does not draw yet, "over": one of a pinch that rests
  let owner = null; // the pointer that drags
  let began = 0;
  let last = null;
  let first = null; // {at, event} of the finger that waits
  let path = 0; // device pixels that the stroke has gone
  let tap = null; // {at, timer} of a tap whose dot waits for a second tap

  const point = (event) => {
    const box = element.getBoundingClientRect();
    const ratio = handlers.ratio();
    // Canvases begin at whole device pixels, also where their element does not.
    return [event.clientX * ratio - Math.round(box.left * ratio), event.clientY * ratio - Math.round(box.top * ratio)];
  };

  const pinch = () => {
    const [[ax, ay], [bx, by]] = [...fingers.values()];
    return { middle: [(ax + bx) / 2, (ay + by) / 2], distance: Math.max(Math.hypot(ax - bx, ay - by), 1) };
  };

  const startPinch = (event) => {
    if (mode === "tool") {
      const isShort = event.timeStamp - began < SECOND_FINGER || path < SHORT * handlers.ratio();
      if (isShort) handlers.abort();
      else handlers.end();
    }
    mode = "pinch";
    last = pinch();
  };

  const distance = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by);

  const startTool = (at, event) => {
    mode = "tool";
    path = 0;
    last = at;
    handlers.begin(at, event);
  };

  /** A dot, unless a second tap follows: then the photo is zoomed there. */
  const tapped = ({ at, event }) => {
    const before = tap;
    clearTimeout(before?.timer);
    tap = null;
    if (before && distance(before.at, at) < NEAR * handlers.ratio()) {
      handlers.doubleTap(at);
      return;
    }
    if (before) before.dot();
    const dot = () => {
      tap = null;
      handlers.begin(at, event);
      handlers.end();
    };
    tap = { at, dot, timer: setTimeout(dot, DOUBLE_TAP) };
  };

  const down = (event) => {
    const at = point(event);
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, at);
      if (fingers.size === 2) startPinch(event);
      if (fingers.size > 1) return;
    }
    if (mode !== null || !BUTTONS.includes(event.button)) return;
    element.setPointerCapture(event.pointerId);
    owner = event.pointerId;
    began = event.timeStamp;
    last = at;
    first = { at, event };
    if (event.button === 1 || handlers.pans(event)) mode = "pan";
    else if (event.pointerType === "touch") mode = "wait";
    else startTool(at, event);
    if (event.button === 1) event.preventDefault();
  };

  const moved = (event) => {
    const at = point(event);
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, at);
    if (mode === "wait" && event.pointerId === owner && distance(first.at, at) > SLOP * handlers.ratio()) {
      startTool(first.at, first.event);
    }
    if (mode === "pinch") {
      if (fingers.size < 2) return;
      const now = pinch();
      handlers.pan(now.middle[0] - last.middle[0], now.middle[1] - last.middle[1]);
      handlers.zoom(now.distance / last.distance, now.middle);
      last = now;
    } else if (event.pointerId === owner && mode === "pan") {
      handlers.pan(at[0] - last[0], at[1] - last[1]);
      last = at;
    } else if (event.pointerId === owner && mode === "tool") {
      const passed = event.getCoalescedEvents?.() ?? [];
      path += distance(last, at);
      last = at;
      handlers.move(passed.length ? passed.map(point) : [at], event);
    }
    handlers.hover(event.pointerType === "touch" && mode !== "tool" ? null : at);
  };

  const up = (event) => {
    fingers.delete(event.pointerId);
    if (mode === "pinch" || mode === "over") {
      mode = fingers.size ? "over" : null;
      owner = null;
    } else if (event.pointerId === owner) {
      if (mode === "tool") handlers.end();
      else if (mode === "wait" && event.type === "pointerup") tapped(first);
      mode = null;
      owner = null;
    }
    if (event.pointerType === "touch") handlers.hover(null);
  };

  element.addEventListener("pointerdown", down);
  element.addEventListener("pointermove", moved);
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
  element.addEventListener("pointerleave", () => handlers.hover(null));
  listenWheel(element, handlers, point);
  listenSafari(element, handlers, point);
}

/** A mouse wheel zooms; two fingers on a trackpad pan, and pinched (browsers then report Ctrl) zoom. */
function listenWheel(element, handlers, point) {
  let latest = -Infinity;
  let isMouse = false;
  const turned = (event) => {
    event.preventDefault();
    if (event.timeStamp - latest > WHEEL_BURST) {
      isMouse = event.deltaMode !== 0 || (event.deltaX === 0 && Math.abs(event.deltaY) >= WHEEL_STEP);
    }
    latest = event.timeStamp;
    const unit = [1, 33, 300][event.deltaMode];
    const [right, down] = [event.deltaX * unit, event.deltaY * unit];
    const step = Math.max(-240, Math.min(240, down));
    if (event.ctrlKey || event.metaKey) {
      handlers.zoom(Math.exp(-step * (isMouse ? 0.002 : 0.01)), point(event));
    } else if (isMouse && !event.shiftKey) {
      handlers.zoom(Math.exp(-step * 0.002), point(event));
    } else {
      const sideways = event.shiftKey && right === 0;
      handlers.pan(-(sideways ? down : right) * handlers.ratio(), sideways ? 0 : -down * handlers.ratio());
    }
  };
  element.addEventListener("wheel", turned, { passive: false });
}

/** Safari reports the trackpad's pinch by events of its own; on touch screens pointer events already say it. */
function listenSafari(element, handlers, point) {
  if (!("GestureEvent" in window) || navigator.maxTouchPoints > 0) return;
  let scale = 1;
  element.addEventListener("gesturestart", (event) => {
    event.preventDefault();
    scale = 1;
  });
  element.addEventListener("gesturechange", (event) => {
    event.preventDefault();
    handlers.zoom(event.scale / scale, point(event));
    scale = event.scale;
  });
}
