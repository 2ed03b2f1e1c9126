// Hides: that some browsers keep no files in IndexedDB, as WebKit's private windows: there their bytes are kept instead.

const BYTES = "bytes of a file"; // key by which what stands for a file is known

/** A value with the bytes of each file in it, however deep, instead of the file. */
export async function packed(value) {
  if (value instanceof Blob) {
    return { [BYTES]: await value.arrayBuffer(), type: value.type, name: value.name };
  }
  const entries = async (pairs) => Promise.all([...pairs].map(async ([key, each]) => [key, await packed(each)]));
  if (value instanceof Map) return new Map(await entries(value));
  if (Array.isArray(value)) return Promise.all(value.map(packed));
  return isPlain(value) ? Object.fromEntries(await entries(Object.entries(value))) : value;
}

/** The value that `packed` was given. */
export function unpacked(value) {
  if (value?.[BYTES]) {
    const { [BYTES]: bytes, type, name } = value;
    return name === undefined ? new Blob([bytes], { type }) : new File([bytes], name, { type });
  }
  const entries = (pairs) => [...pairs].map(([key, each]) => [key, unpacked(each)]);
  if (value instanceof Map) return new Map(entries(value));
  if (Array.isArray(value)) return value.map(unpacked);
  return isPlain(value) ? Object.fromEntries(entries(Object.entries(value))) : value;
}

const isPlain = (value) => value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;
