// The cards of this visit: counted, filtered, sorted.

import { Card } from "./card.js";
import { Previews } from "./preview.js";

const CLASSES = [...Array.from({ length: 22 }, (_, place) => String(place + 1)), "X", "Y"];
const names = new Intl.Collator(undefined, { numeric: true });
const ABSENT = {
  all: "",
  accepted: "No image was accepted so far.",
  rejected: "No image was rejected so far.",
  error: "No image failed so far.",
};

const placeOf = (entry) => (entry.prediction ? CLASSES.indexOf(entry.prediction.label) : CLASSES.length);
const sureness = (entry, absent) => entry.prediction?.probability ?? absent;
const byName = (a, b) => names.compare(a.path, b.path) || a.number - b.number;
const ORDERS = {
  added: (a, b) => a.number - b.number,
  name: byName,
  class: (a, b) => placeOf(a) - placeOf(b) || byName(a, b),
  doubt: (a, b) => sureness(a, 2) - sureness(b, 2) || byName(a, b),
  sure: (a, b) => sureness(b, -1) - sureness(a, -1) || byName(a, b),
};

export class Gallery {
  #list = document.getElementById("cards");
  #nothing = document.getElementById("nothing");
  #previews = new Previews();
  #kind = "all";
  #order = "added";
  #added = 0;
  entries = [];

  // Gives the new entries: {number, file, path, state, prediction, error, card}.
  add(found) {
    const entries = found.map(({ file, path }) => ({ number: (this.#added += 1), file, path, state: "waiting" }));
    const made = document.createDocumentFragment();
    for (const entry of entries) {
      entry.card = new Card(entry);
      made.append(entry.card.element);
      this.entries.push(entry);
    }
    this.#list.append(made);
    for (const entry of entries) this.#previews.watch(entry, entry.card.element);
    this.#filter();
    return entries;
  }

  // The cards keep their places while results come in; they are put in order when the last is there.
  update() {
    for (const entry of this.entries) entry.card.update();
    this.#filter();
  }

  show(kind) {
    this.#kind = kind;
    this.#filter();
  }

  sort(order = this.#order) {
    this.#order = order;
    if (order === "added" && this.#inOrder()) return;
    this.#list.append(...[...this.entries].sort(ORDERS[order]).map((entry) => entry.card.element));
  }

  // Every image with an answer, in the order that the visitor chose.
  finished() {
    return this.entries.filter(({ prediction, error }) => prediction || error).sort(ORDERS[this.#order]);
  }

  counts() {
    const counts = { all: this.entries.length, accepted: 0, rejected: 0, error: 0, waiting: 0, sending: 0 };
    for (const entry of this.entries) counts[entry.state] += 1;
    return { ...counts, left: counts.waiting + counts.sending };
  }

  retryPreviews() {
    this.#previews.retry(this.entries.map((entry) => entry.card.element));
  }

  clear() {
    for (const entry of this.entries) {
      entry.gone = true;
      this.#previews.forget(entry, entry.card.element);
      entry.card.forget();
    }
    this.entries = [];
    this.#list.replaceChildren();
  }

  #inOrder() {
    return this.entries.every((entry, place) => this.#list.children[place] === entry.card.element);
  }

  #filter() {
    for (const { card, state } of this.entries) card.element.hidden = this.#kind !== "all" && state !== this.#kind;
    const some = this.#kind === "all" || this.entries.some((entry) => entry.state === this.#kind);
    this.#nothing.hidden = some;
    this.#nothing.textContent = some ? "" : ABSENT[this.#kind];
  }
}
