// The cell in numbers: its ISCN text, how many there are of each chromosome, findings and remarks.

import { percent } from "../percent.js";
import { LABELS, usual } from "./labels.js";
import { iscnOf } from "./server.js";

const at = (id) => document.getElementById(id);

// The text of the present counts. An older answer never takes the place of a newer one, and a question that is not
// answered leaves the old text marked as old.
export class IscnLine {
  #asked = null;
  #tell;

  // `tell.failed(error)` hears what went wrong, `tell.answered()` that the text is right again.
  constructor(tell) {
    this.#tell = tell;
  }

  // Null while it is not known for the present counts.
  text = null;

  show(text, note) {
    this.#stop();
    this.text = text;
    at("iscn").textContent = text;
    at("iscn-note").textContent = note;
    at("iscn-line").classList.remove("is-old");
  }

  async ask(counts) {
    this.#stop();
    const asked = new AbortController();
    this.#asked = asked;
    this.text = null;
    at("iscn-line").classList.add("is-old");
    at("iscn-note").textContent = "of before your last edit; being brought up to date …";
    try {
      const answer = await iscnOf(counts, asked.signal);
      if (this.#asked !== asked) return;
      this.show(answer.iscn, answer.abnormal ? "counted as placed; not the numbers of a normal cell" : "counted as placed");
      this.#tell.answered(answer.iscn);
    } catch (error) {
      if (this.#asked !== asked) return;
      at("iscn-note").textContent = "of before your last edit";
      this.#tell.failed(error);
    }
  }

  #stop() {
    this.#asked?.abort();
    this.#asked = null;
  }
}

export function showCounts(counts) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  at("total").textContent = `${total} chromosome${total === 1 ? "" : "s"} placed`;
  at("counts").replaceChildren(...LABELS.map((label) => {
    const odd = counts[label] !== usual(label, counts);
    const pair = document.createElement("div");
    pair.className = odd ? "is-odd" : "";
    pair.append(part("dt", label), part("dd", String(counts[label])));
    if (odd) pair.lastChild.append(part("span", ` instead of ${usual(label, counts)}`, "sr"));
    return pair;
  }));
}

// What the program itself found, before any edit.
export function showCall({ call, remarks }) {
  const lines = [];
  if (call) lines.push(`It is ${percent(call.probability)} sure of all numbers together.`);
  for (const { label, copies, probability } of call?.findings ?? []) {
    lines.push(`Chromosome ${label}: ${copies === 1 ? "1 copy" : `${copies} copies`}, ${percent(probability)} sure.`);
  }
  at("said-of-cell").replaceChildren(...[...lines, ...remarks].map((line) => part("li", line)));
}

function part(kind, text, name = "") {
  const element = document.createElement(kind);
  element.textContent = text;
  element.className = name;
  return element;
}
