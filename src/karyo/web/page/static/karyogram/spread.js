// The spread beside the karyogram: the picture with an outline for each object. What is pointed at in one is marked in
// the other. For the ear and the keyboard the karyogram holds the same objects, so the outlines are for the eye alone.

import { picture as pictureFromServer } from "../api.js";
import { isNative } from "../preview.js";

const SVG = "http://www.w3.org/2000/svg";
const at = (id) => document.getElementById(id);

export class Spread {
  #image = at("spread-image");
  #overlay = at("spread-overlay");
  #shapes = [];
  #url = "";
  #opened = 0;

  // `hooks`: pointed(index or null), chosen(index).
  constructor(hooks) {
    const indexOf = (event) => {
      const shape = event.target.closest?.("[data-index]");
      return shape ? Number(shape.dataset.index) : null;
    };
    this.#overlay.addEventListener("pointerover", (event) => hooks.pointed(indexOf(event)));
    this.#overlay.addEventListener("pointerleave", () => hooks.pointed(null));
    this.#overlay.addEventListener("click", (event) => {
      const index = indexOf(event);
      if (index !== null) hooks.chosen(index);
    });
  }

  // Shows the outlines at once and the picture when it is there; `file` is null where a saved review came without it.
  open({ size }, objects, file) {
    this.#forget();
    const known = Boolean(size) && objects.some(({ edges, outline }) => edges || outline);
    at("spread").hidden = !known;
    if (!known) return;
    const [width, height] = size;
    this.#overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
    at("spread-stage").style.setProperty("--ratio", String(width / height));
    this.#shapes = objects.map(shapeOf);
    this.#overlay.replaceChildren(...this.#shapes.filter(Boolean));
    at("spread-said").textContent = file ? "" : "The spread's picture is not in the file. Open both together to see it here.";
    if (file) this.#show(file, this.#opened);
  }

  update(review) {
    const waiting = new Set(review.waiting);
    for (const [index, shape] of this.#shapes.entries()) {
      shape?.classList.toggle("is-waiting", waiting.has(index));
      shape?.classList.toggle("is-debris", review.objects[index].debris);
    }
  }

  select(index) { this.#mark("is-selected", index); }
  point(index) { this.#mark("is-pointed", index); }

  #mark(name, index) {
    for (const [place, shape] of this.#shapes.entries()) shape?.classList.toggle(name, place === index);
    const shape = this.#shapes[index];
    // The last drawn lies above its neighbours. One that is moved while it is pressed is never clicked.
    if (shape && shape !== this.#overlay.lastChild) this.#overlay.append(shape);
  }

  async #show(file, opened) {
    try {
      const blob = (await isNative(file)) ? file : await pictureFromServer("preview", file);
      if (opened !== this.#opened) return;
      this.#url = URL.createObjectURL(blob);
      this.#image.src = this.#url;
      this.#image.hidden = false;
    } catch (error) {
      if (opened === this.#opened) at("spread-said").textContent = `No picture of the spread: ${error.message}`;
    }
  }

  #forget() {
    this.#opened += 1;
    this.#image.hidden = true;
    this.#image.removeAttribute("src");
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = "";
    this.#shapes = [];
    this.#overlay.replaceChildren();
  }
}

function shapeOf({ outline, edges }, index) {
  if (!outline?.length && !edges) return null;
  const shape = document.createElementNS(SVG, "polygon");
  const [left, top, right, bottom] = edges ?? [];
  const points = outline?.length ? outline : [[left, top], [right, top], [right, bottom], [left, bottom]];
  shape.setAttribute("points", points.map((point) => point.join(",")).join(" "));
  shape.dataset.index = String(index);
  return shape;
}
