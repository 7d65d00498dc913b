// What is known about the chosen chromosome, and the buttons for what can be done with it.

import { percent } from "../percent.js";
import { DEBRIS, TRAY, nameOf } from "./labels.js";
import { waits } from "./review.js";

const at = (id) => document.getElementById(id);
const MOST_ALTERNATIVES = 5;
const RELATIONS = {
  touching: "It touched another object and was cut from it.",
  crossing: "It crosses another object; what lies under the other is guessed.",
};

export class Detail {
  #reasons = {};

  // Sentences for the names of reasons, as the server gives them with its model.
  know(reasons) {
    this.#reasons = reasons ?? {};
  }

  show(object, place) {
    at("detail-title").textContent = titleOf(place);
    at("detail-state").textContent = stateOf(object);
    at("detail-state").className = waits(object) ? "state is-waiting" : "state";
    at("detail-name").textContent = object.name;
    this.#picture(object);
    at("flip").setAttribute("aria-pressed", String(object.turned));
    at("debris").textContent = object.debris ? "Not debris" : "Debris";
    at("confirm").disabled = object.reviewed;
    at("confirm").textContent = object.reviewed ? "Confirmed" : "Confirm";
    at("detail-bars").replaceChildren(...alternatives(object).map(bar));
    at("detail-notes").replaceChildren(...this.#notes(object).map((text) => part("li", "", text)));
  }

  #picture(object) {
    const image = at("detail-image");
    image.hidden = !object.picture;
    if (object.picture) image.src = object.picture;
    image.alt = `Picture of ${object.name}`;
    image.classList.toggle("is-turned", object.turned);
  }

  #notes({ alone, relation, truth, probability, probabilities }) {
    const notes = [];
    if (alone) notes.push(`Alone, without its cell: ${alone.label}, ${percent(alone.probability)}.`);
    for (const reason of alone?.reasons ?? []) notes.push(sentence(this.#reasons[reason] ?? reason.replaceAll("_", " ")));
    if (RELATIONS[relation]) notes.push(RELATIONS[relation]);
    const sum = Object.values(probabilities ?? {}).reduce((total, share) => total + share, 0);
    if (1 - sum > 0.05) notes.push(`No chromosome of this cell: ${percent(Math.max(1 - sum, 0))}.`);
    if (truth) notes.push(`Named ${truth} in the annotation or by its folder.`);
    if (!Number.isFinite(probability)) notes.push("Its probability is not known.");
    return notes;
  }
}

function titleOf(place) {
  if (place === TRAY) return "Unplaced";
  return place === DEBRIS ? "Debris" : `C${nameOf(place).slice(1)}`;
}

function stateOf(object) {
  if (waits(object)) return "Waits for review";
  return object.reviewed ? "Reviewed" : "Not in doubt";
}

function alternatives({ probabilities }) {
  return Object.entries(probabilities ?? {}).sort((a, b) => b[1] - a[1]).slice(0, MOST_ALTERNATIVES);
}

function bar([label, probability]) {
  const line = part("div", "", "");
  line.setAttribute("role", "listitem");
  const track = part("span", "bar-track", "");
  const fill = document.createElement("i");
  fill.style.width = `${100 * probability}%`;
  track.append(fill);
  line.append(part("span", "bar-label", label), track, part("span", "bar-share", percent(probability)));
  return line;
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

function part(kind, name, text) {
  const element = document.createElement(kind);
  element.className = name;
  element.textContent = text;
  return element;
}
