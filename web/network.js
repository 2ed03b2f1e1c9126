// Hides: the model in onnxruntime-web: which of its builds is loaded, on which device it runs, that it is tried out before
// it is trusted, and what is done where a device fails.

const ROOT = new URL("../", import.meta.url);
const BINARIES = { wasm: "ort-wasm-simd-threaded.wasm", webgpu: "ort-wasm-simd-threaded.asyncify.wasm" };
const [WIDTH, HEIGHT] = [36, 28]; // of the picture that it is tried out with
const WRONG = 3; // difference of two devices, of 255, from which one of them is wrong
const NOTHING = { type: "uint8", data: Uint8Array.of(0), dims: [1, 1] }; // of marks that are not there

export class Network {
  /** @param {function} tell receives what is being done: "loading", "starting" or "running"; bytes done and in all */
  constructor(tell) {
    this.tell = tell;
    this.sessions = {}; // device: Promise of {ort, session}
    this.model = null; // bytes of the file
  }

  /** The faster device of this machine, "wasm" or "webgpu". */
  async device() {
    return (await hasGpu()) ? "webgpu" : "wasm";
  }

  /**
   * Fills one window.
   * @param {Object} inputs by name {type, data, dims}, as host.js makes them
   * @param {{device: string, warnings: string[]}} use changed where the device fails
   * @returns {Promise<Uint8Array>} bytes of the filled window
   */
  async run(inputs, use) {
    try {
      return await this.runOn(use.device, inputs);
    } catch (error) {
      if (use.device === "wasm") throw error;
      use.warnings.push(`The graphics card could not be used (WebGPU: ${error.message}), so the processor filled it.`);
      use.device = "wasm";
      return this.runOn("wasm", inputs);
    }
  }

  async runOn(device, inputs) {
    this.sessions[device] ??= this.open(device).finally(() => this.tell("running", 0, 1));
    const { ort, session } = await this.sessions[device].catch((error) => {
      delete this.sessions[device];
      throw error;
    });
    return compute(ort, session, inputs);
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

/** The bytes of the output; marks that are not given are none. */
async function compute(ort, session, inputs) {
  const feeds = session.inputNames.map((name) => {
    const { type, data, dims } = inputs[name] ?? NOTHING;
    return [name, new ort.Tensor(type, data, dims)];
  });
  const { composite } = await session.run(Object.fromEntries(feeds));
  return composite.getData();
}

/** Drivers and shaders have bugs that show as wrong pictures: two sessions must fill a small one alike. */
async function compare(ort, session, reference) {
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) % 256;
  const away = (at) => Math.abs((at % WIDTH) - WIDTH / 2) + Math.abs(Math.floor(at / WIDTH) - HEIGHT / 2);
  const inputs = {
    image: { type: "uint8", data: Uint8Array.from({ length: 4 * WIDTH * HEIGHT }, random), dims: [HEIGHT, WIDTH, 4] },
    mask: {
      type: "uint8",
      data: Uint8Array.from({ length: WIDTH * HEIGHT }, (_, at) => (away(at) < 9 ? 255 : 0)),
      dims: [HEIGHT, WIDTH],
    },
    temperature: { type: "float32", data: Float32Array.of(1), dims: [1] },
    factor: { type: "int64", data: BigInt64Array.of(1n), dims: [1] },
  };
  const [one, other] = [await compute(ort, session, inputs), await compute(ort, reference, inputs)];
  if (!one.every((value, at) => Math.abs(value - other[at]) < WRONG)) throw new Error("it computes wrongly here");
}
