// Runs the network, so that the page stays responsive. Messages in: {kind: "fill", device, image, mask, width, height};
// out: {kind: "progress", done, total}, {kind: "stage", text}, {kind: "filled", output, seconds, device}, {kind: "failed", text}.

import { matchTone } from "./tone.js";

const BASE = new URL("./", import.meta.url);
const BINARIES = { wasm: "ort-wasm-simd-threaded.wasm", webgpu: "ort-wasm-simd-threaded.asyncify.wasm" };
let model = null;
const sessions = {};

self.onmessage = async ({ data }) => {
  try {
    postMessage({ kind: "filled", ...(await fill(data)) });
  } catch (error) {
    postMessage({ kind: "failed", text: String((error && error.message) || error) });
  }
};

async function fill(data) {
  const gpu = data.device === "webgpu" || (data.device === "auto" && (await hasGpu()));
  const device = gpu ? "webgpu" : "wasm";
  try {
    return await run(device, data);
  } catch (error) {
    if (device === "wasm") throw error;
    postMessage({ kind: "stage", text: `WebGPU failed (${error.message}); computing on the processor.` });
    return await run("wasm", data);
  }
}

async function hasGpu() {
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    return Boolean(adapter) && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
  } catch {
    return false;
  }
}

async function run(device, data) {
  const { width, height } = data;
  const { ort, session } = await (sessions[device] ??= open(device).catch((error) => {
    delete sessions[device];
    throw error;
  }));
  postMessage({ kind: "stage", text: `Filling ${width}×${height} pixels on the ${device === "webgpu" ? "GPU" : "processor"}.` });
  const start = performance.now();
  const { composite } = await session.run(inputs(ort, session, data));
  const output = await composite.getData();
  if (!output.every(Number.isFinite)) throw new Error("the result holds values that are not numbers");
  matchTone(output, data.mask, width, height);
  return { output, device, seconds: (performance.now() - start) / 1000 };
}

// The page draws no lines: networks that take a sketch are shown an empty one.
function inputs(ort, session, { image, mask, width, height }) {
  const plane = (data) => new ort.Tensor("float32", data, [1, data.length / (width * height), height, width]);
  const planes = { image: plane(image), mask: plane(mask) };
  return session.inputNames.includes("sketch") ? { ...planes, sketch: plane(new Float32Array(mask.length)) } : planes;
}

async function open(device) {
  postMessage({ kind: "stage", text: "Loading the runtime." });
  const ort = await import(new URL(`ort/ort.${device}.bundle.min.js`, BASE).href);
  ort.env.logLevel = "error";
  ort.env.wasm.wasmPaths = { wasm: new URL(`ort/${BINARIES[device]}`, BASE).href };
  // Threads share memory, which browsers allow only where a server sends the headers for it.
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, Math.ceil(navigator.hardwareConcurrency / 2)) : 1;
  model ??= await download(new URL("model.onnx", BASE));
  postMessage({ kind: "stage", text: "Preparing the network." });
  const create = (...executionProviders) => ort.InferenceSession.create(model, { executionProviders, logSeverityLevel: 3 });
  if (device === "wasm") return { ort, session: await create("wasm") };
  const session = await create("webgpu", "wasm");
  await check(ort, session, await create("wasm"));
  return { ort, session };
}

// Drivers and shaders have bugs that show as wrong pictures: the GPU must fill a small one as the processor does.
async function check(ort, session, reference) {
  postMessage({ kind: "stage", text: "Checking the GPU." });
  const [width, height] = [36, 28];
  let seed = 1;
  const image = Float32Array.from({ length: 3 * width * height }, () => (seed = (seed * 16807) % 2147483647) / 2147483647);
  const mask = Float32Array.from({ length: width * height }, (_, i) => Number(Math.abs((i % width) - 18) + Math.abs(i / width - 14) < 9));
  const results = [];
  for (const each of [session, reference]) {
    const { composite } = await each.run(inputs(ort, each, { image, mask, width, height }));
    results.push(await composite.getData());
  }
  await reference.release();
  if (!results[0].every((value, i) => Math.abs(value - results[1][i]) < 0.01)) throw new Error("it computes wrongly here");
}

async function download(url) {
  postMessage({ kind: "stage", text: "Loading the network." });
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the network cannot be loaded: ${response.status} ${response.statusText}`);
  const total = Number(response.headers.get("Content-Length")) || 0;
  const parts = [];
  let done = 0;
  for (const reader = response.body.getReader(); ;) {
    const { value, done: end } = await reader.read();
    if (end) break;
    parts.push(value);
    done += value.length;
    postMessage({ kind: "progress", done, total });
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
