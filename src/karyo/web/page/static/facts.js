// What the model's file says about itself, for people. Any of it may be absent.

import { percent } from "./percent.js";

export function lineOf({ name, training = {} }) {
  const test = rate(training.test);
  return [name, training.dataset && `trained on ${training.dataset}`, test && `${test.value} of its test images right`]
    .filter(Boolean).join(" · ");
}

export function show(model, list) {
  const { training = {}, preparation = {}, explains } = model;
  const facts = [
    ["Model", join([model.name, model.precision, preparation.size && `${preparation.size} × ${preparation.size} px`])],
    ["Trained on", trainedOn(training)],
    ["Accuracy, test images", spread(rate(training.test))],
    ["Accuracy, validation images", spread(rate(training.validation))],
    ["Rejected below", threshold(model)],
    ["Weakest classes", weakest(training.per_class)],
    ["Exported", join([model.created?.slice(0, 10), model.karyo && `karyo ${model.karyo}`])],
    ["Checkpoint", model.checkpoint?.slice(0, 12)],
    ["Explanations", explains === false ? "Not installed on this server." : ""],
    ["Licence", model.licence || "The file carries no note on its licence."],
    ["Not for diagnosis", "This is not a medical device. It knows images like those that it was trained on, and no others."],
  ];
  list.replaceChildren(...facts.filter(([, text]) => text).map(fact));
}

function fact([name, text]) {
  const pair = document.createElement("div");
  pair.append(document.createElement("dt"), document.createElement("dd"));
  pair.firstChild.textContent = name;
  pair.lastChild.textContent = text;
  return pair;
}

function join(parts) {
  return parts.filter(Boolean).join(", ");
}

function trainedOn({ dataset, images, cells, cases, split_by: splitBy }) {
  const counted = Object.entries({ images, cells, cases }).filter(([, count]) => Number.isFinite(count));
  const counts = counted.map(([name, count]) => `${count.toLocaleString("en-GB")} ${name}`);
  return join([dataset, ...counts, splitBy && `split by ${splitBy}`]);
}

// Accuracy stands as a number or with its interval.
function rate(side) {
  const accuracy = side?.accuracy;
  const value = Number.isFinite(accuracy) ? accuracy : accuracy?.value;
  if (!Number.isFinite(value)) return null;
  const between = Number.isFinite(accuracy.low) && Number.isFinite(accuracy.high);
  return { value: percent(value), interval: between ? `95 % interval ${percent(accuracy.low)} to ${percent(accuracy.high)}` : "" };
}

function spread(rated) {
  return rated && join([rated.value, rated.interval]);
}

function threshold({ threshold: least, selection = {} }) {
  const { coverage, error } = selection;
  const measured = Number.isFinite(coverage) && Number.isFinite(error);
  const effect = measured && `on validation images ${percent(coverage)} were accepted, of which ${percent(error)} were wrong`;
  return join([Number.isFinite(least) && `a probability of ${percent(least)}`, effect]);
}

function weakest(classes) {
  if (!Array.isArray(classes)) return "";
  const known = classes.filter(({ recall, support }) => Number.isFinite(recall) && support !== 0 && recall < 1);
  known.sort((a, b) => a.recall - b.recall);
  return known.slice(0, 4).map(({ name, recall }) => `${name} (${percent(recall, 0)} found)`).join(", ");
}
