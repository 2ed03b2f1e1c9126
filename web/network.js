// Hides: the network in onnxruntime-web: which of its builds is loaded, on which device it runs, that it is tried out before
// it is trusted, and what is done where a device fails.

const ROOT = new URL("../", import.meta.url);
const BINARIES = { wasm: "ort-wasm-simd-threaded.wasm", webgpu: "ort-wasm-simd-threaded.asyncify.wasm" };
const [WIDTH, HEIGHT] = [36, 28]; // of the picture that it is tried out with
const WRONG = 0.01; // difference of two devices from which one of them is wrong

export class Network {
  /** @param {function} tell receives what is being done: "loading", "starting" or "running"; bytes done and in all */
  constructor(tell) {
    this.tell = tell;
    this.sessions = {}; // device: Promise of {ort, session}
    this.model = null; // bytes of the file
  }

  /**
   * Fills one picture. Planes are Float32Array, channel by channel, in [0, 1].
   * @param {{image: Float32Array, mask: Float32Array, sketch: Float32Array?, avoid: Float32Array?}} planes
   * @param {string?} device "wasm" or "webgpu"; null for the faster one
   * @returns {Promise<{composite: Float32Array, device: string, warnings: string[]}>}
   */
  async run(planes, width, height, device) {
    const chosen = device ?? ((await hasGpu()) ? "webgpu" : "wasm");
    if (chosen === "wasm") return { ...(await this.runOn("wasm", planes, width, height)), warnings: [] };
    try {
      return { ...(await this.runOn("webgpu", planes, width, height)), warnings: [] };
    } catch (error) {
      const warnings = [`The graphics card could not be used (WebGPU: ${error.message}), so the processor filled it.`];
      return { ...(await this.runOn("wasm", planes, width, height)), warnings };
    }
  }

  async runOn(device, planes, width, height) {
    this.sessions[device] ??= this.open(device);
    const { ort, session } = await this.sessions[device].catch((error) => {
      delete this.sessions[device];
      throw error;
    });
    this.tell("running", 0, 1);
    const { composite } = await session.run(inputs(ort, session, planes, width, height));
    const values = await composite.getData();
    if (!values.every(Number.isFinite)) throw new Error("the result holds values that are not numbers");
    return { composite: values, device };
  }

  async open(device) {
    this.tell("starting");
    const ort = await import(new URL(`ort/ort.${device}.bundle.min.js`, ROOT).href);
    ort.env.logLevel = "error";
    ort.env.wasm.wasmPaths = { wasm: new URL(`ort/${BINARIES[device]}`, ROOT).href };
    // Threads share memory, which browsers allow only where a server sends the headers for it.
    ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, Math.ceil(navigator.hardwareConcurrency / 2)) : 1;
    this.model ??= await this.download(new URL("model.onnx", ROOT));
    this.tell("starting");
    const create = (...executionProviders) =>
      ort.InferenceSession.create(this.model, { executionProviders, logSeverityLevel: 3 });
    if (device === "wasm") return { ort, session: await create("wasm") };
    const session = await create("webgpu", "wasm");
    const reference = await create("wasm");
    await compare(ort, session, reference);
    await reference.release();
    return { ort, session };
  }

  async download(url) {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`the network cannot be loaded: ${response.status} ${response.statusText}`);
    const total = Number(response.headers.get("Content-Length")) || 0;
    const parts = [];
    let done = 0;
    for (const reader = response.body.getReader(); ; ) {
      const { value, done: end } = await reader.read();
      if (end) break;
      parts.push(value);
      done += value.length;
      this.tell("loading", done, Math.max(total, done));
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  }
}

/** Whether there is a graphics card; what only pretends to be one is slower than the processor. */
async function hasGpu() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return Boolean(adapter) && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
}

/** What a network takes: nothing is drawn and nothing protected where there are no such planes. */
function inputs(ort, session, planes, width, height) {
  const tensor = (data) => new ort.Tensor("float32", data, [1, data.length / (width * height), height, width]);
  const taken = session.inputNames.map((name) => [name, tensor(planes[name] ?? new Float32Array(width * height))]);
  return Object.fromEntries(taken);
}

/** Drivers and shaders have bugs that show as wrong pictures: two sessions must fill a small one alike. */
async function compare(ort, session, reference) {
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const away = (at) => Math.abs((at % WIDTH) - WIDTH / 2) + Math.abs(Math.floor(at / WIDTH) - HEIGHT / 2);
  const image = Float32Array.from({ length: 3 * WIDTH * HEIGHT }, random);
  const mask = Float32Array.from({ length: WIDTH * HEIGHT }, (_, at) => Number(away(at) < 9));
  const results = [];
  for (const each of [session, reference]) {
    const { composite } = await each.run(inputs(ort, each, { image, mask }, WIDTH, HEIGHT));
    results.push(await composite.getData());
  }
  if (!results[0].every((value, at) => Math.abs(value - results[1][at]) < WRONG)) throw new Error("it computes wrongly here");
}
