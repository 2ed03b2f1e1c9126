// Hides: which models the engine has, and which of them the user chose; the browser remembers that between visits.

import { askModels, WORDS } from "./engine.js";
import { EngineError } from "./failure.js";

const LOADING = 1500; // ms between two questions to an engine that still loads its model
const KEY = `temperfill model ${new URL(".", document.baseURI).pathname}`; // services below one name have their own

export class Models {
  constructor() {
    this.offered = []; // {name, terms, takes_sketch, ...}; none while they are not known
    this.current = ""; // name of the one that fills where none is chosen
  }

  /** Asks the engine until it has loaded its own model; where it fails otherwise, none is known. */
  async learn() {
    while (!this.offered.length) {
      try {
        const { models, current } = await askModels();
        Object.assign(this, { offered: models, current });
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        if (error.code !== "loading") return;
        await new Promise((resolve) => setTimeout(resolve, LOADING));
      }
    }
  }

  /** The model of a name; that of the engine where there is none of this name, null while none is known. */
  find(name) {
    const named = (wanted) => this.offered.find((model) => model.name === wanted);
    return named(name) ?? named(this.current) ?? null;
  }

  /** What a fill has to say of its model: nothing where there is no choice, or none was made while none is known. */
  nameFor(name) {
    if (!this.offered.length) return name || undefined;
    return this.offered.length > 1 ? this.find(name).name : undefined;
  }

  /** The model that a version is said to come from: where several made a part of it, one that was trained. */
  makerOf(version) {
    const names = makers(version);
    return names.find((name) => this.find(name)?.is_learned) ?? names[0];
  }

  /** The name that was chosen last, in this visit or an earlier one; empty for none. */
  get remembered() {
    try {
      return localStorage.getItem(KEY) ?? "";
    } catch {
      return this.kept ?? ""; // some private windows keep nothing
    }
  }

  set remembered(name) {
    this.kept = name;
    try {
      localStorage.setItem(KEY, name);
    } catch {
      // It holds for this visit.
    }
  }
}

/** Names of the models that made a part of a version, as far as there was a choice. */
function makers({ options, parent }) {
  const before = parent ? makers(parent) : [];
  return options?.model ? [options.model, ...before] : before;
}

/** What models may lack, in words; what is not among them each is taken to have. */
const LACKS = {
  takes_sketch: "takes no lines, only a mask",
  takes_avoid: "cannot leave out parts of the photo",
  takes_temperature: "has no temperature",
  has_sources: "cannot tell where it copies from",
};
const ASKED_FOR = ["takes_sketch", "takes_avoid"]; // which a model has only if it says so

/** Why a model cannot use something; null where it can. */
export function lackOf(model, ability) {
  const assumed = !ASKED_FOR.includes(ability);
  if (!model) return assumed ? null : WORDS.unknown;
  return model[ability] ?? assumed ? null : `The model “${model.name}” ${LACKS[ability]}.`;
}
