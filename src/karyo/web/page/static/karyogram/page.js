// The page of one cell: what comes in, what a person does to it, and what is said back.

import { model } from "../api.js";
import { lineOf } from "../facts.js";
import { listenForFiles } from "../intake.js";
import { Detail } from "./detail.js";
import { makeDraggable } from "./drag.js";
import { save } from "./exporting.js";
import { listen, listenForUndo } from "./keys.js";
import { checked, readSaved, sorted } from "./opening.js";
import { MoveQuestion } from "./moving.js";
import { Reading } from "./reading.js";
import { Review } from "./review.js";
import { karyotype } from "./server.js";
import { Sheet } from "./sheet.js";
import { Spread } from "./spread.js";
import { IscnLine, showCall, showCounts } from "./tally.js";
import { listenForRetries, quiet, trouble } from "./trouble.js";

const at = (id) => document.getElementById(id);
const sheet = new Sheet(at("sheet"));
const detail = new Detail();
const question = new MoveQuestion();
const reading = new Reading();
const iscn = new IscnLine({ failed: notCounted, answered: (text) => say(`Counted: ${text}.`) });
const spread = new Spread({ pointed: (index) => point(index), chosen: (index) => sheet.focus(index) });
let review = null;
let basis = "";

// A cell comes in.
function take({ found }) {
  // What is asked there is about the cell that came before.
  if (at("sure").open) return undefined;
  if (!found.length) return trouble(new Error("There was no image among what came. Choose a spread, or the images of one cell."));
  let brought;
  try {
    brought = sorted(found);
  } catch (error) {
    return trouble(error);
  }
  return brought.saved ? openSaved(brought) : send(brought);
}

async function openSaved({ saved, images }) {
  try {
    await open(await readSaved(saved), images[0] ?? null);
  } catch (error) {
    trouble(error);
  }
}

async function send(brought) {
  const { images, annotation, name } = brought;
  quiet();
  try {
    const record = await reading.during(images, (signal) => karyotype(images, annotation, name, signal));
    if (record) await open(checked(record, "What the server answered"), images.length === 1 ? images[0] : null);
  } catch (error) {
    if (error.status === 422) error.message += " Choose another picture of a spread, or the images of one cell.";
    trouble(error, () => send(brought));
  }
}

async function open(record, file) {
  quiet();
  // Not before it is read: meanwhile the one before could still be edited.
  if (review?.unsaved && !(await mayLeaveFor(record.name))) return;
  const opened = new Review(record);
  at("work").hidden = false;
  at("drop").classList.add("is-small");
  if (!(await sheet.open(opened))) return;
  review = opened;
  at("cell-name").textContent = record.name;
  iscn.show(record.iscn, calledNote(opened));
  basis = basisOf(opened);
  showCall(record);
  spread.open(record, opened.objects, file);
  refresh();
  if (opened.touched) count();
  sheet.focus(sheet.current);
  at("work").scrollIntoView({ block: "start" });
  say(`${record.objects.length} objects of ${record.name}: ${record.iscn}. ${waitingWords()}.`);
}

function mayLeaveFor(name) {
  at("sure-text").textContent = `Open ${name} and leave ${review.name}? What you changed since it was last saved is stored nowhere else.`;
  at("sure").returnValue = "keep";
  at("sure").showModal();
  return new Promise((done) => {
    at("sure").addEventListener("close", () => done(at("sure").returnValue === "leave"), { once: true });
  });
}

listenForFiles(take);
addEventListener("beforeunload", (event) => {
  if (review?.unsaved) event.preventDefault();
});

// A person edits. `index` is the object, `words` what happened to it.
function edited(index, words) {
  sheet.current = index;
  refresh();
  say(`${words}. ${waitingWords()}.`);
  const before = basis;
  basis = basisOf(review);
  if (basis !== before) count();
}

// What the ISCN text follows from: what the program called until a person touches something, then the places.
function basisOf(cell) {
  return cell.touched ? JSON.stringify(cell.counts()) : "";
}

function count() {
  if (review.touched) iscn.ask(review.counts());
  else iscn.show(review.record.iscn, calledNote(review));
}

function calledNote(cell) {
  const called = cell.record.call?.copies ?? {};
  const same = Object.entries(cell.counts()).every(([label, count]) => called[label] === count);
  return same ? "as called by the program" : "as called by the program; the places below count differently";
}

function refresh() {
  showCounts(review.counts());
  sheet.update();
  spread.update(review);
  choose(sheet.current);
  const waiting = review.waiting.length;
  at("waiting").textContent = waitingWords();
  at("waiting").classList.toggle("is-none", waiting === 0);
  at("next").disabled = waiting === 0;
  at("undo").disabled = !review.canUndo;
  at("redo").disabled = !review.canRedo;
  at("export-warning").hidden = waiting === 0;
  at("export-warning").textContent = `${waitingWords()}: what you export now has not been reviewed by a person in full.`;
}

function waitingWords() {
  const count = review.waiting.length;
  return count ? `${count} of ${review.objects.length} ${count === 1 ? "waits" : "wait"} for review` : "None waits for review";
}

function choose(index) {
  if (!review?.objects.length) return;
  sheet.select(index);
  spread.select(index);
  detail.show(review.objects[index], review.placeOf(index));
}

function point(index) {
  sheet.point(index);
  spread.point(index);
}

const acts = {
  choose: (index) => sheet.focus(index),
  flip: () => edited(sheet.current, review.flip(sheet.current)),
  debris: () => edited(sheet.current, review.toggleDebris(sheet.current)),
  confirm: () => edited(sheet.current, review.confirm(sheet.current)),
  move(typed) {
    const index = sheet.current;
    const { name } = review.objects[index];
    question.ask(`Move ${name} to`, typed, (place) => {
      edited(index, review.move(index, place));
      sheet.focus(index);
    });
  },
  next() {
    const index = sheet.nextWaiting();
    if (index === null) say("None waits for review.");
    else sheet.focus(index);
  },
};

function goBack(edit) {
  if (edit) edited(edit.index, edit.words);
}

listen(at("sheet"), sheet, acts);
listenForUndo(() => goBack(review?.undo()), () => goBack(review?.redo()));
makeDraggable(at("sheet"), {
  ghost: (index) => sheet.ghost(index),
  chosen: (index) => sheet.focus(index, true),
  dropped(index, place) {
    if (review.placeOf(index) !== place) edited(index, review.move(index, place));
  },
});
const indexOf = (event) => Number(event.target.closest?.(".chromosome")?.dataset.index ?? NaN);
at("sheet").addEventListener("focusin", (event) => { if (event.target.closest(".chromosome")) choose(indexOf(event)); });
at("sheet").addEventListener("pointerover", (event) => point(Number.isNaN(indexOf(event)) ? null : indexOf(event)));
at("sheet").addEventListener("pointerleave", () => point(null));
at("undo").addEventListener("click", () => goBack(review.undo()));
at("redo").addEventListener("click", () => goBack(review.redo()));
for (const name of ["flip", "debris", "confirm", "next"]) at(name).addEventListener("click", acts[name]);
at("move").addEventListener("click", () => acts.move(""));

// The work is taken home.
at("exports").addEventListener("click", async ({ target }) => {
  const { kind } = target.dataset;
  if (!kind) return;
  target.setAttribute("aria-busy", "true");
  const exported = review;
  try {
    const name = await save(kind, exported.toRecord(iscn.text), at("ideograms").checked);
    if (kind === "json") exported.markSaved();
    say(`Saved as ${name}.`);
  } catch (error) {
    trouble(error, () => target.click());
  }
  target.removeAttribute("aria-busy");
});

function notCounted(error) {
  trouble(error, count, " Your edit is kept; only the ISCN text is of before it.");
}

function say(text) {
  at("said").textContent = text;
}

async function loadModel() {
  try {
    const facts = await model();
    at("model-line").textContent = lineOf(facts);
    detail.know(facts.reasons);
    reading.know(facts.limits);
  } catch (error) {
    if (error.status === 0 || error.status === 401) trouble(error, () => {});
  }
}

// Where there is little room, and perhaps no keyboard, they are one press away.
at("keys").open = matchMedia("(min-width: 44em)").matches;
listenForRetries(loadModel);
loadModel();
