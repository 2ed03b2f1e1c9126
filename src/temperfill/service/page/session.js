// Hides: that work survives a reload or a crash: photo, versions and marks are kept in the browser (IndexedDB) as they
// change, and forgotten when another photo is opened; photos that wait are kept beside it. Where the browser keeps nothing, the editor works without it.

import { packed, unpacked } from "./filing.js";

// Several services can stand below one name, each at a path of its own.
const DATABASE = `temperfill ${new URL(".", document.baseURI).pathname}`;
const STORE = "work";
const VERSIONS = window.IDBKeyRange?.bound("version ", "version ~"); // their keys
const LAYOUT = 2; // of what is kept; work of another one cannot be read
const DELAY = 300; // ms after a change, in which others can come, until the state is written

export class Session {
  constructor() {
    this.opened = openDatabase();
    this.works = true; // until something of the photo at hand could not be written
    this.keepsFiles = true; // until the browser refuses one
    this.pending = 0; // writings that are not done
    this.timer = null;
    this.started = false; // whether the photo at hand was written
    this.token = null; // of the photo at hand, so that another tab's work is not mixed with this one's
  }

  /** Whether everything that was done is kept. */
  get isSafe() {
    return this.works && this.pending === 0 && this.timer === null;
  }

  /** A new photo: what was kept of the one before is forgotten. */
  begin() {
    this.started = false;
    this.works = true;
    this.token = String(Math.random());
    return this.write((store) => {
      store.delete("state");
      store.delete(VERSIONS);
    });
  }

  /** Keeps photos that wait, under a name. */
  keepFiles(name, files) {
    this.put("files", { name, files });
  }

  /** Forgets everything. */
  async forget() {
    clearTimeout(this.timer);
    this.timer = null;
    await this.begin();
    await this.write((store) => store.clear());
  }

  /** Keeps the state of an editor as it is soon, however busy its user is. */
  keep(editor) {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      if (!this.started) this.add(editor.results.versions[0]);
      this.started = true;
      const { photo, settings, results } = editor;
      const { frame, content } = editor.marks;
      const state = { token: this.token, photo, settings, shown: results.shown.id, frame, marks: content };
      state.queue = editor.queue;
      this.put("state", state);
    }, DELAY);
  }

  /** Keeps a version, whose files never change. */
  add(version) {
    const { id, blob, shown, name, title, gone, frame, box, options, seconds, saved, small, crop } = version;
    const { parent, work, retouch } = version;
    const plain = { id, blob, gone, name, title, frame, box, options, seconds, saved, small, crop };
    const kept = { ...plain, token: this.token, shown: shown === blob ? null : shown, parent: parent?.id ?? null };
    if (retouch) kept.retouch = { base: retouch.base.id, previous: retouch.previous, own: retouch.own };
    kept.work = work ? { ...work, parent: work.parent.id } : null;
    this.put(`version ${id}`, kept);
  }

  update(version) {
    this.add(version);
  }

  /** What was kept: {photo, settings, shown, frame, marks, versions, queue, files}, or null. */
  async load() {
    const database = await this.opened;
    if (!database) return null;
    const [state, versions, files] = await new Promise((resolve) => {
      const store = database.transaction(STORE).objectStore(STORE);
      const asked = [store.get("state"), store.getAll(VERSIONS), store.get("files")];
      store.transaction.oncomplete = () => resolve(asked.map((request) => unpacked(request.result)));
      store.transaction.onerror = () => resolve([null, [], null]);
    });
    const own = versions.filter(({ token }) => token === state?.token);
    if (!own.length || own.every(({ id }) => id !== 0)) return null;
    own.sort((one, other) => one.id - other.id);
    for (const version of own) version.shown ??= version.blob;
    this.started = true;
    this.token = state.token;
    const queue = state.queue?.name === files?.name ? state.queue : null;
    return { ...state, versions: own, queue, files: files?.files };
  }

  /** Keeps a value under a key. */
  async put(key, value) {
    const { token } = this;
    this.pending += 1;
    const database = await this.opened;
    const write = (what) => carriedOut(database, (store) => store.put(what, key));
    const isWanted = () => key === "files" || token === this.token; // no other photo was opened meanwhile
    let done = Boolean(database) && this.keepsFiles && (await write(value));
    if (database && !done) {
      const bytes = await packed(value);
      done = isWanted() && (await write(bytes));
      if (done) this.keepsFiles = false;
    }
    if (!done && isWanted()) this.works = false;
    this.pending -= 1;
  }

  async write(change) {
    this.pending += 1;
    const database = await this.opened;
    if (!database || !(await carriedOut(database, change))) this.works = false;
    this.pending -= 1;
  }
}

/** @returns {Promise<boolean>} whether it was written; a full disk is one reason why not */
function carriedOut(database, change) {
  return new Promise((resolve) => {
    const transaction = database.transaction(STORE, "readwrite");
    transaction.oncomplete = () => resolve(true);
    transaction.onabort = () => resolve(false);
    transaction.onerror = () => resolve(false);
    change(transaction.objectStore(STORE));
  });
}

/** @returns {Promise<IDBDatabase?>} null where the browser has none, as in some private windows */
function openDatabase() {
  return new Promise((resolve) => {
    if (!window.indexedDB) {
      resolve(null);
      return;
    }
    const request = indexedDB.open(DATABASE, LAYOUT);
    request.onupgradeneeded = () => {
      const { result: database } = request;
      if (database.objectStoreNames.contains(STORE)) database.deleteObjectStore(STORE); // of another layout
      database.createObjectStore(STORE);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
    request.onblocked = () => resolve(null);
  });
}
