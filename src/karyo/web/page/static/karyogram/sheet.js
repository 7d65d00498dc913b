// The karyogram: rows of slots with the centromeres of a row on one line, everything at one scale, the tray below.

import { Chromosome } from "./chromosome.js";
import { emptyPlace, layForm } from "./form.js";
import { DEBRIS, ROWS, TRAY, usual } from "./labels.js";

const TALLEST = 168;
const TALLEST_NARROW = 88;
const NARROW = 640;
const LARGEST_SCALE = 3;
const GAP = 8;
const SLOT_ROOM = 22;

export class Sheet {
  #root;
  #review = null;
  #opening = null;
  #chromosomes = [];
  #stages;
  #lines;
  #width = 0;
  #pending = 0;
  current = 0;

  constructor(root) {
    this.#root = root;
    ({ lines: this.#lines, stages: this.#stages } = layForm(root));
    new ResizeObserver(([{ contentRect }]) => this.#resized(contentRect.width)).observe(root);
  }

  // A new cell. True when every picture is decoded and in its place, false if another cell came meanwhile.
  async open(review) {
    this.#opening = review;
    const made = review.objects.map((object, index) => new Chromosome(object, index));
    await Promise.all(made.map((each) => each.ready()));
    if (this.#opening !== review) return false;
    this.#review = review;
    this.#chromosomes = made;
    this.update();
    const order = this.#inOrder();
    const waiting = new Set(review.waiting);
    this.select(order.find((index) => waiting.has(index)) ?? order[0]);
    return true;
  }

  update() {
    if (!this.#chromosomes.length) return;
    const hadFocus = this.#root.contains(document.activeElement);
    const scale = this.#scale();
    for (const places of this.#lines) this.#draw(places, scale);
    this.select(this.current);
    // What moves to another place in the document loses the focus.
    if (hadFocus) this.focus(this.current);
  }

  element(index) { return this.#chromosomes[index]?.element; }
  ghost(index) { return this.#chromosomes[index].ghost(); }

  // In the order in which they are read.
  elements() { return [...this.#root.querySelectorAll(".chromosome")]; }

  select(index) {
    this.current = index;
    for (const [place, { element }] of this.#chromosomes.entries()) {
      element.tabIndex = place === index ? 0 : -1;
      element.setAttribute("aria-selected", String(place === index));
    }
  }

  // Under a pointer nothing may scroll away.
  focus(index, preventScroll = false) {
    this.select(index);
    this.element(index)?.focus({ preventScroll });
  }

  // Marks one as meant in the spread, or none for null.
  point(index) {
    for (const [place, { element }] of this.#chromosomes.entries()) element.classList.toggle("is-pointed", place === index);
  }

  // The next that waits after the current one, in reading order; null if none does.
  nextWaiting() {
    const waiting = new Set(this.#review.waiting);
    const order = this.#inOrder();
    const from = order.indexOf(this.current) + 1;
    return [...order.slice(from), ...order.slice(0, from)].find((index) => waiting.has(index)) ?? null;
  }

  #inOrder() {
    return this.elements().map((element) => Number(element.dataset.index));
  }

  #resized(width) {
    if (Math.abs(width - this.#width) < 1) return;
    this.#width = width;
    cancelAnimationFrame(this.#pending);
    this.#pending = requestAnimationFrame(() => this.update());
  }

  // One factor for all: tall enough to show bands, low enough that the widest row fits.
  #scale() {
    const narrow = this.#width < NARROW;
    const sizes = this.#chromosomes.map(({ size }) => size);
    const placed = sizes.filter((_, index) => ![TRAY, DEBRIS].includes(this.#review.placeOf(index)));
    const tallest = Math.max(...(placed.length ? placed : sizes).map(({ height }) => height));
    const scale = Math.min((narrow ? TALLEST_NARROW : TALLEST) / tallest, LARGEST_SCALE);
    return narrow ? scale : Math.min(scale, ...this.#lines.slice(0, ROWS.length).map((places) => this.#fitting(places)));
  }

  #fitting(places) {
    const indexes = places.flatMap((place) => this.#review.at(place));
    const pixels = indexes.reduce((sum, index) => sum + this.#chromosomes[index].size.width, 0);
    const room = this.#width - places.length * SLOT_ROOM - indexes.length * GAP;
    return pixels ? Math.max(room / pixels, 0.25) : Infinity;
  }

  #draw(places, scale) {
    const inTray = places[0] === TRAY;
    const arms = new Map(places.flatMap((place) => this.#review.at(place)).map((index) =>
      [index, this.#chromosomes[index].arms(this.#review.objects[index].turned)]));
    const up = Math.max(0, ...[...arms.values()].map((each) => each.up)) * scale;
    const down = Math.max(0, ...[...arms.values()].map((each) => each.down)) * scale;
    for (const place of places) {
      const { stage } = this.#stages.get(place);
      stage.style.height = inTray ? "" : `${Math.max(up + down, 40)}px`;
      const inside = this.#review.at(place);
      for (const index of inside) {
        this.#chromosomes[index].update(this.#review.objects[index], place, scale, inTray ? 0 : up - arms.get(index).up * scale);
      }
      const missing = Array.from({ length: this.#missing(place, inside.length) }, () => emptyPlace(up, down));
      stage.replaceChildren(...inside.map((index) => this.element(index)), ...missing);
      this.#name(place, inside.length);
    }
  }

  #missing(place, count) {
    if (place === TRAY || place === DEBRIS) return 0;
    return Math.max(usual(place, this.#review.counts()) - count, 0);
  }

  #name(place, count) {
    const { slot, said } = this.#stages.get(place);
    if (place === TRAY || place === DEBRIS) {
      said.textContent = count ? String(count) : "none";
      slot.setAttribute("aria-label", `${place === TRAY ? "Unplaced" : "Debris"}, ${count}`);
      return;
    }
    const expected = usual(place, this.#review.counts());
    said.textContent = count === expected ? "" : `× ${count}`;
    slot.classList.toggle("is-odd", count !== expected);
    slot.setAttribute("aria-label", `Chromosome ${place}, ${count} of ${expected}`);
  }
}
