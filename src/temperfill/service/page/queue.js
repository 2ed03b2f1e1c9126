// Hides: the photos that wait on the page: which one is at hand, which are saved, and the list to choose from.

export class Queue {
  /**
   * @param {HTMLSelectElement} list hidden where there is one photo only
   * @param {function} onChoose receives the file that was chosen
   */
  constructor(list, onChoose) {
    this.list = list;
    this.onChoose = onChoose;
    this.files = [];
    this.saved = new Set();
    this.at = 0;
    list.addEventListener("change", () => this.go(list.selectedIndex));
  }

  /** Takes files in; the first one is opened. */
  take(files) {
    this.files = [...files];
    this.saved.clear();
    this.go(0);
  }

  go(at) {
    if (!this.files[at]) return;
    this.onChoose(this.files[at]);
    this.show();
  }

  /** The photo of a name is open now. */
  opened(name) {
    const found = this.files.findIndex((file, at) => file.name === name && (at >= this.at || !this.files[this.at]));
    if (found >= 0) this.at = found;
    else this.files = [];
    this.show();
  }

  next() {
    this.go(this.at + 1);
  }

  markSaved() {
    this.saved.add(this.files[this.at]);
    this.show();
  }

  show() {
    const words = (file, at) => `${at + 1} of ${this.files.length}: ${file.name}${this.saved.has(file) ? ", saved" : ""}`;
    this.list.hidden = this.files.length < 2;
    this.list.replaceChildren(...this.files.map((file, at) => new Option(words(file, at))));
    this.list.selectedIndex = this.at;
  }
}
