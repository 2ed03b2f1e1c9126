// Hides: the ways in which files come: the file choosers, dropping, pasting.

import { complain, say } from "./notices.js";

const find = (selector) => document.querySelector(selector);

/** @param {{photo: function, mask: function, sketch: function}} uses each takes a list of files, photos also several */
export function receiveFiles(uses) {
  for (const [name, use] of Object.entries(uses)) {
    find(`#${name}-file`).addEventListener("change", (event) => {
      const files = [...event.target.files];
      if (files.length) use(files);
      event.target.value = ""; // so that the same file can be chosen again
    });
  }
  receiveDrops(uses.photo);
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (files.length) uses.photo(files);
    else if (!event.target.closest?.("input")) say("There is no picture in the clipboard.");
  });
}

function receiveDrops(use) {
  const show = (on) => {
    find("#drop").hidden = !on;
  };
  window.addEventListener("dragover", (event) => {
    event.preventDefault();
    show(event.dataTransfer?.types.includes("Files"));
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) show(false);
  });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    show(false);
    const files = [...event.dataTransfer.files];
    if (files.length) use(files);
    else complain("What was dropped is not a file. Save the picture first, then drop its file.");
  });
}
