// Hides: how bytes are compressed for PNG (RFC 1950 and 1951): by Huffman's codes and runs of one byte, without looking
// for what repeats. In photos hardly anything does, so it takes less time than a CompressionStream, and no more bytes.

const BLOCK = 1 << 18; // bytes that have codes of their own
const LONGEST = 15; // bits of a code
const [SHORTEST_RUN, LONGEST_RUN] = [3, 258];
const END = 256; // symbol after the last byte of a block
const SYMBOLS = 286;
const RUNS = runs();

/** For each length of a run: its symbol, and the value of how many further bits. */
function runs() {
  const count = LONGEST_RUN + 1;
  const table = { symbol: new Uint16Array(count), bits: new Uint8Array(count), rest: new Uint8Array(count) };
  let length = SHORTEST_RUN;
  for (let symbol = END + 1; length < LONGEST_RUN; symbol += 1) {
    const bits = Math.max((symbol - 261) >> 2, 0);
    for (let rest = 0; rest < 1 << bits && length < LONGEST_RUN; rest += 1) {
      [table.symbol[length], table.bits[length], table.rest[length]] = [symbol, bits, rest];
      length += 1;
    }
  }
  table.symbol[LONGEST_RUN] = SYMBOLS - 1;
  return table;
}

export class Deflater {
  constructor() {
    this.out = new Uint8Array(1 << 20);
    this.at = 0; // bytes that are written
    this.bits = 0; // that are not written yet
    this.count = 0; // of them, below 16
    this.sums = [1, 0]; // Adler-32
    this.tokens = new Uint16Array(BLOCK); // each a byte, or 256 and for how long the byte before is repeated
    this.put(0x0178, 16);
  }

  push(bytes) {
    this.sum(bytes);
    for (let start = 0; start < bytes.length; start += BLOCK) this.block(bytes.subarray(start, start + BLOCK));
  }

  /** @returns {Uint8Array} all that was pushed, compressed */
  finish() {
    this.reserve(16);
    this.put(0b011, 3); // a last block, of no bytes
    this.put(0, 7);
    for (; this.count > 0; this.count -= 8) {
      this.out[this.at++] = this.bits & 255;
      this.bits >>>= 8;
    }
    const [low, high] = this.sums;
    for (const byte of [high >> 8, high & 255, low >> 8, low & 255]) this.out[this.at++] = byte;
    return this.out.subarray(0, this.at);
  }

  block(bytes) {
    const used = this.tokenize(bytes);
    const counts = new Uint32Array(SYMBOLS);
    counts[END] = 1;
    for (let at = 0; at < used; at += 1) {
      const token = this.tokens[at];
      counts[token < END ? token : RUNS.symbol[token - END]] += 1;
    }
    const lengths = codeLengths(counts);
    this.reserve(2 * bytes.length + 1000);
    this.describe(lengths);
    this.write(used, lengths, codesOf(lengths));
  }

  /** Splits bytes into tokens. @returns {number} of tokens */
  tokenize(bytes) {
    const { tokens } = this;
    let used = 0;
    for (let at = 0; at < bytes.length; ) {
      const byte = bytes[at];
      tokens[used++] = byte;
      at += 1;
      const most = Math.min(at + LONGEST_RUN, bytes.length);
      let end = at;
      while (end < most && bytes[end] === byte) end += 1;
      if (end - at < SHORTEST_RUN) continue;
      tokens[used++] = END + end - at;
      at = end;
    }
    return used;
  }

  /** Writes the head of a block: the lengths of its codes, four bits each, and two codes for distances, of one bit. */
  describe(lengths) {
    this.put(0b100, 3);
    this.put(SYMBOLS - 257, 5);
    this.put(1, 5);
    this.put(15, 4); // all lengths of codes for lengths follow: those for 16 to 18, which stand first, are unused
    for (let at = 0; at < 19; at += 1) this.put(at < 3 ? 0 : 4, 3);
    for (const length of lengths) this.put(reversed(length, 4), 4);
    for (let at = 0; at < 2; at += 1) this.put(reversed(1, 4), 4);
  }

  write(used, lengths, codes) {
    const { tokens } = this;
    for (let at = 0; at < used; at += 1) {
      const token = tokens[at];
      if (token < END) this.put(codes[token], lengths[token]);
      else {
        const symbol = RUNS.symbol[token - END];
        this.put(codes[symbol], lengths[symbol]);
        this.put(RUNS.rest[token - END], RUNS.bits[token - END]);
        this.put(0, 1); // the distance, 1
      }
    }
    this.put(codes[END], lengths[END]);
  }

  put(bits, count) {
    this.bits |= bits << this.count;
    this.count += count;
    if (this.count < 16) return;
    this.out[this.at] = this.bits & 255;
    this.out[this.at + 1] = (this.bits >>> 8) & 255;
    this.at += 2;
    this.bits >>>= 16;
    this.count -= 16;
  }

  reserve(more) {
    if (this.at + more <= this.out.length) return;
    const larger = new Uint8Array(2 * this.out.length + more);
    larger.set(this.out.subarray(0, this.at));
    this.out = larger;
  }

  sum(bytes) {
    let [low, high] = this.sums;
    for (let start = 0; start < bytes.length; start += 3800) { // so many stay below 2 ** 32
      const end = Math.min(start + 3800, bytes.length);
      for (let at = start; at < end; at += 1) {
        low += bytes[at];
        high += low;
      }
      low %= 65521;
      high %= 65521;
    }
    this.sums = [low, high];
  }
}

/** Bits of the code of each symbol, at most 15 (Huffman; too long ones are shortened at the cost of shorter ones). */
function codeLengths(counts) {
  const used = [...counts.keys()].filter((symbol) => counts[symbol]).sort((one, other) => counts[one] - counts[other]);
  const lengths = new Uint8Array(counts.length);
  if (used.length === 1) {
    lengths[used[0]] = 1;
    return lengths;
  }
  const perLength = new Uint32Array(LONGEST + 1);
  for (const depth of depths(used.map((symbol) => counts[symbol]))) perLength[Math.min(depth, LONGEST)] += 1;
  let room = perLength.reduce((sum, number, length) => sum + number * 2 ** (LONGEST - length), 0);
  for (; room > 2 ** LONGEST; room -= 1) {
    perLength[LONGEST] -= 1;
    let length = LONGEST - 1;
    while (!perLength[length]) length -= 1;
    perLength[length] -= 1;
    perLength[length + 1] += 2;
  }
  let at = 0; // the rarest symbols have the longest codes
  for (let length = LONGEST; length > 0; length -= 1) {
    for (let number = perLength[length]; number > 0; number -= 1) lengths[used[at++]] = length;
  }
  return lengths;
}

/** How deep each leaf lies in Huffman's tree. @param {number[]} weights ascending */
function depths(weights) {
  const count = weights.length;
  const all = [...weights]; // leaves, then the nodes above them, ascending too
  const parent = [];
  let [leaf, node] = [0, count];
  const next = () => (node >= all.length || (leaf < count && all[leaf] <= all[node]) ? leaf++ : node++);
  while (all.length < 2 * count - 1) {
    const [one, other] = [next(), next()];
    parent[one] = parent[other] = all.length;
    all.push(all[one] + all[other]);
  }
  const depth = new Array(all.length).fill(0);
  for (let at = all.length - 2; at >= 0; at -= 1) depth[at] = depth[parent[at]] + 1;
  return depth.slice(0, count);
}

/** The code of each symbol, with its first bit lowest. */
function codesOf(lengths) {
  const codes = new Uint16Array(lengths.length);
  let code = 0;
  for (let length = 1; length <= LONGEST; length += 1) {
    for (let symbol = 0; symbol < lengths.length; symbol += 1) {
      if (lengths[symbol] === length) codes[symbol] = reversed(code++, length);
    }
    code <<= 1;
  }
  return codes;
}

function reversed(value, count) {
  let result = 0;
  for (let at = 0; at < count; at += 1) result |= ((value >> at) & 1) << (count - 1 - at);
  return result;
}
