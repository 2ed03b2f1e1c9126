// Hides: the PNG format. Masks and sketches are written as 8-bit grey pictures of the photo's full size, row by row, so
// that no canvas of that size is needed; read back, a picture counts as marked where it is brighter than half.

import { TILE } from "./tiles.js";

export const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const BAND = 64; // rows compressed at once
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, number) => {
  let value = number;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});
const [CRC_2, CRC_3, CRC_4] = further(); // of a byte that one, two or three others follow

function further() {
  const tables = [CRC_TABLE];
  for (let at = 0; at < 3; at += 1) {
    tables.push(tables[at].map((value) => CRC_TABLE[value & 255] ^ (value >>> 8)));
  }
  return tables.slice(1);
}

/** A layer as PNG file, white = marked. @returns {Promise<Blob>} */
export async function encodeLayer(layer) {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, layer.width);
  header.setUint32(4, layer.height);
  header.setUint8(8, 8); // bits; colour type 0 (grey), compression, filter and interlace methods are all 0
  const data = await compressed(layer);
  const parts = [chunk("IHDR", new Uint8Array(header.buffer)), chunk("IDAT", data), chunk("IEND", new Uint8Array(0))];
  return new Blob([new Uint8Array(SIGNATURE), ...parts], { type: "image/png" });
}

async function compressed(layer) {
  const stream = new CompressionStream("deflate");
  const result = new Response(stream.readable).arrayBuffer();
  const writer = stream.writable.getWriter();
  const stride = layer.width + 1; // each row starts with the number of its filter: 0, none
  for (let top = 0; top < layer.height; top += BAND) {
    const rows = Math.min(BAND, layer.height - top);
    const band = new Uint8Array(stride * rows);
    for (let row = 0; row < rows; row += 1) layer.readRow(top + row, band, row * stride + 1);
    await writer.write(band);
  }
  await writer.close();
  return new Uint8Array(await result);
}

/** A chunk of a file. */
export function chunk(name, data) {
  const bytes = new Uint8Array(12 + data.length);
  const numbers = new DataView(bytes.buffer);
  numbers.setUint32(0, data.length);
  for (let at = 0; at < 4; at += 1) bytes[4 + at] = name.charCodeAt(at);
  bytes.set(data, 8);
  numbers.setUint32(8 + data.length, checksum(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

function checksum(bytes) {
  let value = 0xffffffff;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    value ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    value = CRC_4[value & 255] ^ CRC_3[(value >>> 8) & 255] ^ CRC_2[(value >>> 16) & 255] ^ CRC_TABLE[value >>> 24];
  }
  for (; at < bytes.length; at += 1) value = CRC_TABLE[(value ^ bytes[at]) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/**
 * Within a change of the layer: takes over a decoded picture of the layer's size. Colours count by their brightness
 * over black; a picture with transparent places and nothing bright counts by its opacity.
 */
export function decodeInto(layer, bitmap) {
  const found = { bright: new Map(), opaque: new Map(), transparent: false };
  const canvas = new OffscreenCanvas(layer.width, Math.min(TILE, layer.height));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let top = 0; top < layer.height; top += TILE) {
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, -top);
    const rows = Math.min(TILE, layer.height - top);
    splitBand(layer, context.getImageData(0, 0, layer.width, rows).data, top, rows, found);
  }
  const chosen = found.transparent && !found.bright.size ? found.opaque : found.bright;
  layer.replaceAll((_, index) => chosen.get(index) ?? null);
}

function splitBand(layer, data, top, rows, found) {
  const first = (top / TILE) * layer.columns;
  const mark = (tiles, row, x) => {
    const index = first + Math.floor(x / TILE);
    if (!tiles.has(index)) tiles.set(index, new Uint8Array(TILE * TILE));
    tiles.get(index)[row * TILE + (x % TILE)] = 1;
  };
  for (let row = 0; row < rows; row += 1) {
    for (let x = 0; x < layer.width; x += 1) {
      const at = (row * layer.width + x) * 4;
      const opacity = data[at + 3];
      const brightness = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
      if (opacity > 127) mark(found.opaque, row, x);
      else found.transparent = true;
      if (brightness * opacity > 127.5 * 255) mark(found.bright, row, x);
    }
  }
}
