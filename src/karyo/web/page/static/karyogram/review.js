// A cell under review: its objects, what a person did to them, and the way back.

import { DEBRIS, LABELS, TRAY, nameOf } from "./labels.js";

export class Review {
  #record;
  #edits = [];
  #undone = [];
  #order = [];
  #placeBefore = new Map();
  #saved = null;

  constructor(record) {
    this.#record = record;
    this.objects = record.objects.map((object) => ({ ...object }));
    const sure = (index) => this.objects[index].probability;
    this.#order = this.objects.map((_, index) => index).sort((a, b) => sure(b) - sure(a) || a - b);
  }

  get name() { return this.#record.name; }
  get record() { return this.#record; }
  get canUndo() { return this.#edits.length > 0; }
  get canRedo() { return this.#undone.length > 0; }
  get unsaved() { return (this.#edits.at(-1) ?? null) !== this.#saved; }
  get waiting() { return this.objects.flatMap((object, index) => (waits(object) ? [index] : [])); }

  // Where an object stands: a label, TRAY or DEBRIS.
  placeOf(index) {
    const { debris, place } = this.objects[index];
    return debris ? DEBRIS : (place ?? TRAY);
  }

  // The objects of a place: as sure as the program was, and what a person brought last.
  at(place) {
    return this.#order.filter((index) => this.placeOf(index) === place);
  }

  // Whether a person has touched anything. From then on the places are what counts, not what the program had called.
  get touched() { return this.objects.some(({ reviewed }) => reviewed); }

  counts() {
    const counts = Object.fromEntries(LABELS.map((label) => [label, 0]));
    for (const { debris, place } of this.objects) if (!debris && place !== null) counts[place] += 1;
    return counts;
  }

  // Every edit gives what happened, in words. Whatever a person does to an object, they have looked at it.
  move(index, place) {
    if (this.placeOf(index) === place) return this.confirm(index);
    if (place === DEBRIS) this.#placeBefore.set(index, this.objects[index].place);
    const label = LABELS.includes(place) ? place : null;
    return this.#edit(index, { place: label, debris: place === DEBRIS }, `Moved to ${nameOf(place)}`);
  }

  toggleDebris(index) {
    if (!this.objects[index].debris) return this.move(index, DEBRIS);
    return this.move(index, this.#placeBefore.get(index) ?? TRAY);
  }

  flip(index) {
    return this.#edit(index, { turned: !this.objects[index].turned }, "Flipped by half a circle");
  }

  confirm(index) {
    if (this.objects[index].reviewed) return "Reviewed already";
    return this.#edit(index, {}, `Confirmed as ${nameOf(this.placeOf(index))}`);
  }

  // Both give {index, words}, or null where there is nothing to go back or forward to.
  undo() {
    const edit = this.#edits.pop();
    if (!edit) return null;
    this.#undone.push(edit);
    return this.#restore(edit, edit.before, edit.orderBefore, "Undone");
  }

  redo() {
    const edit = this.#undone.pop();
    if (!edit) return null;
    this.#edits.push(edit);
    return this.#restore(edit, edit.after, edit.orderAfter, "Done again");
  }

  markSaved() {
    this.#saved = this.#edits.at(-1) ?? null;
  }

  // The record as it stands now; `iscn` belongs to its present counts, or is null where that is not known.
  toRecord(iscn) {
    return { ...this.#record, iscn: iscn ?? this.#record.iscn, objects: this.objects.map((object) => ({ ...object })) };
  }

  #edit(index, change, words) {
    const before = this.objects[index];
    const after = { ...before, ...change, reviewed: true };
    const orderBefore = this.#order;
    if ("place" in change) this.#order = [...orderBefore.filter((each) => each !== index), index];
    this.objects[index] = after;
    this.#edits.push({ index, before, after, orderBefore, orderAfter: this.#order, words });
    this.#undone = [];
    return words;
  }

  #restore({ index, words }, object, order, said) {
    this.objects[index] = object;
    this.#order = order;
    return { index, words: `${said}: ${words[0].toLowerCase()}${words.slice(1)}` };
  }
}

export function waits({ doubtful, reviewed }) {
  return doubtful && !reviewed;
}
