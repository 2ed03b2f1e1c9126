// Hides: mouse, pen, touch, wheel and trackpad. What comes out is: a tool drag, a pan, a zoom, or the pointer hovering;
// all points in device pixels of the stage.

const SECOND_FINGER = 350; // ms in which a second finger turns a stroke that has begun into a pinch
const WHEEL_BURST = 200; // ms of silence after which a new turn of the wheel begins
const BUTTONS = [0, 1, 5]; // that drag: left or contact, middle, the eraser of a pen
const WHEEL_STEP = 50; // CSS pixels: a mouse wheel's first step is larger, a trackpad's smaller

/**
 * @param {HTMLElement} element receives the events
 * @param {Object} handlers ratio(), pans(event), begin(point, event), move(points, event), end(), abort(), pan(dx, dy),
 *   zoom(factor, point), hover(point or null)
 */
export function listen(element, handlers) {
  const fingers = new Map();
  let mode = null; // "tool", "pan", "pinch", or "over": a finger of a finished pinch still rests
  let owner = null; // the pointer that drags
  let began = 0;
  let last = null;

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
      if (event.timeStamp - began < SECOND_FINGER) handlers.abort();
      else handlers.end();
    }
    mode = "pinch";
    last = pinch();
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
    mode = event.button === 1 || handlers.pans(event) ? "pan" : "tool";
    if (mode === "tool") handlers.begin(at, event);
    if (event.button === 1) event.preventDefault();
  };

  const moved = (event) => {
    const at = point(event);
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, at);
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
