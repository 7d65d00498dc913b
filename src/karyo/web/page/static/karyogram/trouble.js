// What goes wrong, in one sentence with what to do, and the way to try it again.

import { askForKey, listenForKey } from "../key.js";

const at = (id) => document.getElementById(id);
// What the server refused for its content would be refused again.
const WORTH_TRYING = new Set([0, 429, 500, 502, 503, 504]);
let retry = null;

// `again` does once more what failed; `more` is a sentence about what became of it.
export function trouble(error, again = null, more = "") {
  retry = again;
  if (error.status === 401 || error.status === 403) return askForKey();
  at("notice-text").textContent = sentenceOf(error) + more;
  at("again").hidden = !again || !WORTH_TRYING.has(error.status);
  at("notice").hidden = false;
  return undefined;
}

export function quiet() {
  at("notice").hidden = true;
}

// `first` is done before whatever is tried again.
export function listenForRetries(first) {
  const goOn = () => {
    quiet();
    first();
    retry?.();
  };
  at("dismiss").addEventListener("click", quiet);
  at("again").addEventListener("click", goOn);
  listenForKey(goOn);
}

function sentenceOf({ status, message }) {
  if (status === 0) return "The server cannot be reached. Is it running, and is the network up?";
  if (status === 413) return `This is too large for the server. ${message}`;
  return message;
}
