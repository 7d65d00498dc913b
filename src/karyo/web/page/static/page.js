// The page: what the visitor does, and what is said back.

import { model } from "./api.js";
import { toCsv } from "./csv.js";
import { download } from "./download.js";
import { lineOf, show } from "./facts.js";
import { Gallery } from "./gallery.js";
import { listenForFiles } from "./intake.js";
import { askForKey, listenForKey } from "./key.js";
import { Queue } from "./queue.js";

const at = (id) => document.getElementById(id);
const gallery = new Gallery();
const queue = new Queue({ changed, halted });
let lastSaid = 0;
let finished = 0;

// Images come in.
function take({ found, skipped = 0 }) {
  const left = skipped ? ` ${count(skipped, "file")} in the folder ${skipped === 1 ? "is" : "are"} no image and left out.` : "";
  if (!found.length) return say(left ? `Nothing was added.${left}` : "There was no file in what was dropped.");
  at("results").hidden = false;
  const entries = gallery.add(found);
  say(`${count(entries.length, "image")} added.${left}`);
  return queue.add(entries);
}

listenForFiles(take);

// Results come back.
function changed() {
  gallery.update();
  const counts = gallery.counts();
  const { left } = counts;
  const done = counts.all - left;
  for (const kind of ["all", "accepted", "rejected", "error"]) at(`count-${kind}`).textContent = counts[kind].toLocaleString("en-GB");
  at("progress").max = Math.max(counts.all, 1);
  at("progress").value = done;
  at("progress-text").textContent = left ? `${done} of ${count(counts.all, "image")}` : `${count(counts.all, "image")} done`;
  at("download").disabled = done === 0;
  const halted = !at("notice").hidden || !at("key-form").hidden;
  swap(at("stop"), at("continue"), queue.running, !queue.running && left > 0 && !halted);
  if (left === 0 && counts.all > finished) finish(counts);
  else if (queue.running && Date.now() - lastSaid > 5000) say(`${done} of ${count(counts.all, "image")} done.`);
}

function finish({ all, accepted, rejected, error }) {
  finished = all;
  gallery.sort();
  say(`${count(all, "image")} done: ${accepted} accepted, ${rejected} rejected, ${count(error, "error")}.`);
}

function halted(refusal) {
  if (refusal.status === 401 || refusal.status === 403) {
    askForKey();
    return changed();
  }
  const { left } = gallery.counts();
  const waiting = left ? ` ${count(left, "image")} ${left === 1 ? "waits" : "wait"} here.` : "";
  const words = refusal.busy
    ? `The server has too much to do (status ${refusal.status}): ${refusal.message}${waiting}`
    : `The server cannot be reached. Is it running, and is the network up?${waiting}`;
  at("notice-text").textContent = words;
  at("notice").hidden = false;
  return changed();
}

at("again").addEventListener("click", () => {
  at("notice").hidden = true;
  resume();
});

async function resume() {
  (at("results").hidden ? at("choose") : at("results")).focus({ preventScroll: true });
  if (!(await loadModel())) return;
  gallery.retryPreviews();
  queue.go();
}

listenForKey(resume);

// What can be done with the results.
at("stop").addEventListener("click", () => {
  queue.stop();
  say(`Stopped. ${count(gallery.counts().left, "image")} left.`);
});
at("continue").addEventListener("click", () => queue.go());
at("filters").addEventListener("change", (event) => gallery.show(event.target.value));
at("sort").addEventListener("change", (event) => gallery.sort(event.target.value));
at("download").addEventListener("click", () => {
  const now = new Date();
  const local = new Date(now - 60_000 * now.getTimezoneOffset()).toISOString();
  download(new Blob([toCsv(gallery.finished())], { type: "text/csv;charset=utf-8" }), `karyo-${local.slice(0, 16).replace("T", "-").replace(":", "")}.csv`);
});
at("clear").addEventListener("click", () => {
  at("sure-text").textContent = `Clear ${count(gallery.entries.length, "image")}? Their results are stored nowhere else.`;
  at("sure").returnValue = "keep";
  at("sure").showModal();
});
at("sure").addEventListener("close", () => {
  if (at("sure").returnValue !== "clear") return;
  queue.clear();
  gallery.clear();
  finished = 0;
  at("notice").hidden = true;
  at("results").hidden = true;
  changed();
  at("choose").focus();
  say("Cleared.");
});

// What the model says about itself. False where the server is away or wants a key.
async function loadModel() {
  try {
    const facts = await model();
    at("model-line").textContent = lineOf(facts);
    show(facts, at("facts-list"));
    at("facts").hidden = false;
    at("cards").classList.toggle("without-why", facts.explains === false);
    queue.limit(facts.limits);
  } catch (error) {
    if (error.status !== 0 && error.status !== 401) return true;
    halted(error);
    return false;
  }
  return true;
}

function count(number, noun) {
  return `${number.toLocaleString("en-GB")} ${noun}${number === 1 ? "" : "s"}`;
}

function say(text) {
  lastSaid = Date.now();
  at("said").textContent = text;
}

// One button takes the other's place; who was on it stays there.
function swap(stop, go, running, halted) {
  const focused = [stop, go].includes(document.activeElement);
  stop.hidden = !running;
  go.hidden = !halted;
  if (focused) (running ? stop : halted ? go : at("results")).focus({ preventScroll: true });
}

loadModel();
