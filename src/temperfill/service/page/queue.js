// Hides: the photos that wait on the page: which one is at hand, which are saved, the list to choose from, and that they
// come back after a reload.

export class Queue {
  /**
   * @param {HTMLSelectElement} list hidden where there is one photo only
   * @param {{onChoose: function, onChange: function, keep: function}} calls onChoose receives the file that was chosen,
   *     keep the files that a reload brings back, under a name
   */
  constructor(list, calls) {
    Object.assign(this, { list, ...calls });
    this.files = [];
    this.saved = new Set(); // places of those that are
    this.at = 0;
    this.name = null; // of these files where they are kept
    list.addEventListener("change", () => this.go(list.selectedIndex));
  }

  /** What a reload needs besides the files; null without any. */
  get state() {
    return this.files.length > 1 ? { name: this.name, at: this.at, saved: [...this.saved] } : null;
  }

  /** Takes files in; the first one is opened. */
  take(files) {
    this.files = [...files];
    this.saved.clear();
    this.name = String(Math.random());
    if (this.files.length > 1) this.keep(this.name, this.files);
    this.go(0);
  }

  /** Brings back what was kept, with the photo at hand open. */
  restore({ name, at, saved }, files) {
    Object.assign(this, { name, at, files, saved: new Set(saved) });
    this.show();
  }

  go(at) {
    if (!this.files[at]) return;
    this.onChoose(this.files[at]);
    this.show();
  }

  /** A file is open now; with one that is not among them they are forgotten. */
  opened(file) {
    const found = this.files.indexOf(file);
    if (found >= 0) this.at = found;
    else this.files = [];
    this.show();
  }

  next() {
    this.go(this.at + 1);
  }

  markSaved() {
    this.saved.add(this.at);
    this.show();
  }

  show() {
    const words = (file, at) => `${at + 1} of ${this.files.length}: ${file.name}${this.saved.has(at) ? ", saved" : ""}`;
    this.list.hidden = this.files.length < 2;
    this.list.replaceChildren(...this.files.map((file, at) => new Option(words(file, at))));
    this.list.selectedIndex = this.at;
    this.onChange();
  }
}
