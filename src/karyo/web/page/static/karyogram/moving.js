// The question where a chromosome is to go, asked by key or button and answered by typing.

import { placeOf } from "./labels.js";

const at = (id) => document.getElementById(id);

export class MoveQuestion {
  #answered = () => {};

  constructor() {
    at("move-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const place = placeOf(at("move-field").value);
      if (place === null) return this.#refuse();
      at("move-dialog").close();
      return this.#answered(place);
    });
    at("move-cancel").addEventListener("click", () => at("move-dialog").close());
    at("move-dialog").addEventListener("click", (event) => {
      const place = event.target.dataset.goal;
      if (!place) return;
      at("move-dialog").close();
      this.#answered(place);
    });
  }

  // `typed` is what the visitor has typed already.
  ask(title, typed, answered) {
    this.#answered = answered;
    at("move-title").textContent = title;
    at("move-said").textContent = "";
    at("move-field").removeAttribute("aria-invalid");
    at("move-dialog").showModal();
    at("move-field").value = typed;
    at("move-field").focus();
  }

  #refuse() {
    at("move-said").textContent = "There is no such place: type 1 to 22, X or Y, or choose below.";
    at("move-field").setAttribute("aria-invalid", "true");
    at("move-field").select();
  }
}
