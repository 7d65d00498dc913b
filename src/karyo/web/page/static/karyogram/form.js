// The empty form of a karyogram: rows of Denver groups with a slot for each chromosome, the tray below.

import { DEBRIS, ROWS, TRAY } from "./labels.js";

// Gives the places of each row, and the slot, stage and count line of each place.
export function layForm(root) {
  const stages = new Map();
  for (const groups of ROWS) {
    const row = silent("div", "row");
    row.append(...groups.map(({ group, labels }) => denver(group, labels, stages)));
    root.append(row);
  }
  const tray = silent("div", "row tray");
  tray.append(slotOf(TRAY, "Unplaced", stages), slotOf(DEBRIS, "Debris", stages));
  root.append(tray);
  return { lines: [...ROWS.map((groups) => groups.flatMap(({ labels }) => labels)), [TRAY, DEBRIS]], stages };
}

// An expected place that nothing stands in.
export function emptyPlace(up, down) {
  const element = silent("div", "empty");
  element.style.height = `${Math.max(Math.min(up, 30) + Math.min(down, 45), 36)}px`;
  element.style.marginTop = `${Math.max(up - 30, 0)}px`;
  return element;
}

function denver(group, labels, stages) {
  const side = silent("div", "denver");
  const slots = silent("div", "slots");
  slots.append(...labels.map((label) => slotOf(label, label, stages)));
  const name = made("p", "denver-name", group);
  name.setAttribute("aria-hidden", "true");
  side.append(slots, name);
  return side;
}

function slotOf(place, label, stages) {
  const slot = made("div", "slot");
  slot.dataset.place = place;
  slot.setAttribute("role", "group");
  const stage = silent("div", "stage");
  const line = made("p", "slot-label", label);
  line.setAttribute("aria-hidden", "true");
  const said = made("span", "slot-count");
  line.append(said);
  slot.append(stage, line);
  stages.set(place, { slot, stage, said });
  return slot;
}

// What only arranges: between the list and its groups an ear should hear nothing.
function silent(kind, name) {
  const element = made(kind, name);
  element.setAttribute("role", "presentation");
  return element;
}

function made(kind, name, text = "") {
  const element = document.createElement(kind);
  element.className = name;
  element.textContent = text;
  return element;
}
