// One chromosome in the karyogram: its picture, the frame that says what is doubtful about it, and its name for the ear.

import { percent } from "../percent.js";
import { waits } from "./review.js";
import { DEBRIS, TRAY, nameOf } from "./labels.js";

const MISSING = { width: 24, height: 80 };

export class Chromosome {
  #image = document.createElement("img");
  #frame = document.createElement("span");
  #tag = document.createElement("span");
  #centromere;

  constructor(object, index) {
    this.element = document.createElement("div");
    this.element.id = `chromosome-${index}`;
    this.element.className = "chromosome";
    this.element.dataset.index = String(index);
    this.element.setAttribute("role", "option");
    this.element.tabIndex = -1;
    this.#image.alt = "";
    this.#image.draggable = false;
    this.#frame.className = "frame";
    this.#tag.className = "tag";
    this.#frame.append(this.#image, this.#tag);
    this.element.append(this.#frame);
    this.#centromere = object.centromere;
    if (object.picture) this.#image.src = object.picture;
  }

  // Until the picture is decoded its size is not known.
  async ready() {
    await this.#image.decode().catch(() => this.element.classList.add("is-blank"));
  }

  get size() {
    const { naturalWidth: width, naturalHeight: height } = this.#image;
    return width ? { width, height } : MISSING;
  }

  // Rows of the picture above and below the centromere, as it stands now.
  arms(turned) {
    const { height } = this.size;
    const above = Number.isFinite(this.#centromere) ? Math.min(Math.max(this.#centromere, 0), height) : height / 2;
    return turned ? { up: height - above, down: above } : { up: above, down: height - above };
  }

  update(object, place, scale, offset) {
    const { width, height } = this.size;
    const { style } = this.#image;
    style.width = `${width * scale}px`;
    style.height = `${height * scale}px`;
    this.#frame.style.marginTop = `${offset}px`;
    this.element.classList.toggle("is-waiting", waits(object));
    this.element.classList.toggle("is-reviewed", object.reviewed);
    this.element.classList.toggle("is-turned", object.turned);
    this.#tag.textContent = waits(object) ? percent(object.probability, 0) : object.reviewed ? "✓" : "";
    this.element.setAttribute("aria-label", sentence(object, place));
  }

  // What follows the pointer while it is dragged.
  ghost() {
    const ghost = this.#image.cloneNode();
    ghost.className = this.element.classList.contains("is-turned") ? "ghost is-turned" : "ghost";
    return ghost;
  }
}

function sentence(object, place) {
  const where = place === TRAY ? "Unplaced" : place === DEBRIS ? "Debris" : `C${nameOf(place).slice(1)}`;
  const sure = percent(object.probability, 0);
  const state = waits(object) ? `${sure}, waits for review` : object.reviewed ? "reviewed" : sure;
  return `${where}, ${state}${object.turned ? ", flipped" : ""}, ${object.name}`;
}
