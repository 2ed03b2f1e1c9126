// The part of engines.py that runs in node: node engines.mjs RUNTIME MODEL FOLDER THREADS HEIGHT WIDTH REPEATS fills the bytes
// in FOLDER/image and FOLDER/mask, writes FOLDER/filled, and prints seconds, CPU seconds (medians) and the peak in GiB.

import fs from "node:fs";
import { fill } from "../src/temperfill/service/page/host.js";

const [runtime, model, folder, ...numbers] = process.argv.slice(2);
const [threads, height, width, repeats] = numbers.map(Number);
const ort = await import(`${runtime}/ort.wasm.bundle.min.js`);
Object.assign(ort.env.wasm, { numThreads: threads, wasmBinary: fs.readFileSync(`${runtime}/ort-wasm-simd-threaded.wasm`) });
ort.env.logLevel = "error";
const session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync(model)), { logSeverityLevel: 3 });

const run = async (inputs) => {
  const feeds = Object.entries(inputs).map(([name, { type, data, dims }]) => [name, new ort.Tensor(type, data, dims)]);
  return (await session.run(Object.fromEntries(feeds))).composite.data;
};
const [image, mask] = ["image", "mask"].map((name) => new Uint8Array(fs.readFileSync(`${folder}/${name}`)));
const small = Uint8Array.from({ length: 256 * 256 * 4 }, (_, at) => (at * 7919) % 251);
await fill(run, { width: 256, height: 256, data: small }, Uint8Array.from({ length: 256 * 256 }, (_, at) => 255 * (at % 97 === 0)));

const taken = [];
for (let number = 0; number < repeats; number++) {
  const start = performance.now(), before = process.cpuUsage();
  const filled = await fill(run, { width, height, data: image }, mask);
  const used = process.cpuUsage(before);
  taken.push([(performance.now() - start) / 1e3, (used.user + used.system) / 1e6]);
  fs.writeFileSync(`${folder}/filled`, filled);
}
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const [wall, processor] = [0, 1].map((place) => median(taken.map((each) => each[place])));
console.log(`${wall.toFixed(1)} | ${processor.toFixed(1)} | ${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)}`);
process.exit(0);
