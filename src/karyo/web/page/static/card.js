// One image's card. Everything that comes from outside is set as text.

import { ideogram, picture } from "./api.js";
import { percent } from "./percent.js";

const template = document.getElementById("card");
const STATES = { waiting: "Waiting", sending: "Being read", accepted: "Accepted", rejected: "Rejected", error: "Error" };
let cards = 0;

export class Card {
  #entry;
  #explained = "";
  #shown = "";

  constructor(entry) {
    this.#entry = entry;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.#at("article").setAttribute("aria-labelledby", `name-${(cards += 1)}`);
    this.#at(".name").id = `name-${cards}`;
    this.#at(".name").textContent = entry.path;
    this.#at(".name").title = entry.path;
    this.#at(".photo img").alt = `Image ${entry.path}`;
    this.#at(".why button").addEventListener("click", () => this.#toggleWhy());
    this.update();
  }

  update() {
    const { state, prediction, error } = this.#entry;
    if (state === this.#shown) return;
    this.#shown = state;
    this.element.className = `card is-${state}`;
    this.#at(".state").textContent = STATES[state];
    this.#at(".reason").textContent = state === "error" ? error : prediction?.rejected ? reasonOf(prediction) : "";
    if (prediction) this.#read(prediction);
  }

  photo(url, failed) {
    const image = this.#at(".photo img");
    image.hidden = !url;
    image.onerror = url ? failed : null;
    if (url) image.src = url;
    else image.removeAttribute("src");
  }

  noPhoto() {
    this.#at(".no-photo").hidden = false;
  }

  forget() {
    if (this.#explained) URL.revokeObjectURL(this.#explained);
  }

  #at(selector) { return this.element.querySelector(selector); }

  #read({ label, probability, rejected, top }) {
    this.#at(".label").textContent = label;
    this.#at(".sure").textContent = percent(probability);
    const says = rejected ? "Rejected, most likely chromosome" : "Predicted chromosome";
    this.#at(".photo img").alt = `${says} ${label}, ${percent(probability, 0)}`;
    this.#at(".bars").replaceChildren(...top.map(bar));
    this.#at(".why button").setAttribute("aria-label", `Why ${label}? Show what the model looked at in ${this.#entry.path}`);
    this.#at(".why button").textContent = `Why ${label}?`;
    this.#drawIdeogram(label);
  }

  async #drawIdeogram(label) {
    const image = this.#at(".ideogram img");
    try {
      image.src = await ideogram(label);
      image.alt = `Ideogram of chromosome ${label}`;
      image.hidden = false;
    } catch {
      image.hidden = true;
    }
  }

  async #toggleWhy() {
    const button = this.#at(".why button");
    const figure = this.#at(".why figure");
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    figure.hidden = true;
    this.#at(".why-said").textContent = "";
    if (open) return;
    if (!this.#explained) await this.#explain();
    figure.hidden = !this.#explained || button.getAttribute("aria-expanded") !== "true";
  }

  async #explain() {
    const said = this.#at(".why-said");
    const { label } = this.#entry.prediction;
    said.textContent = "Being worked out …";
    try {
      this.#explained = URL.createObjectURL(await picture("explain", this.#entry.file));
      this.#at(".why img").src = this.#explained;
      this.#at(".why img").alt = `What spoke for chromosome ${label} in ${this.#entry.path}`;
      this.#at("figcaption").textContent = `Orange speaks for chromosome ${label}, violet against it.`;
      said.textContent = "";
    } catch (error) {
      const missing = error.status === 501;
      said.textContent = missing ? "Explanations are not installed on this server." : `No explanation: ${error.message}`;
      this.#at(".why button").setAttribute("aria-expanded", "false");
    }
  }
}

function reasonOf({ reason, reasons }) {
  const text = reason || reasons.join(", ") || "the server gave no reason";
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

function bar({ label, probability }) {
  const line = document.createElement("div");
  line.setAttribute("role", "listitem");
  const parts = ["bar-label", "bar-track", "bar-share"].map((name) => {
    const part = document.createElement("span");
    part.className = name;
    return part;
  });
  parts[0].textContent = label;
  parts[1].append(document.createElement("i"));
  // Through the object model: a style attribute would be inline style, which the page's policy forbids.
  parts[1].firstChild.style.width = `${100 * probability}%`;
  parts[2].textContent = percent(probability);
  line.append(...parts);
  return line;
}
