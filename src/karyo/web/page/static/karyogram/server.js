// What this page asks the server: a cell's karyotype, its text after an edit, and what is exported of it.

import { Refusal, ask } from "../api.js";

// `images` and `annotation` are files; `name` is what to call the cell.
export async function karyotype(images, annotation, name, signal) {
  const form = new FormData();
  for (const file of images) form.append("image", file, wellFormed(file.name));
  if (annotation) form.append("annotation", annotation, wellFormed(annotation.name));
  const query = name ? `?name=${encodeURIComponent(wellFormed(name))}` : "";
  return (await ask(`karyotype${query}`, { method: "POST", body: form, signal })).json();
}

// Gives {iscn, abnormal, counted}.
export async function iscnOf(counts, signal) {
  const answer = await (await post("karyotype/iscn", { counts }, signal)).json();
  if (typeof answer.iscn !== "string") throw new Refusal("The server gave no ISCN text.", 500, "answer_incomplete");
  return answer;
}

export async function picture(record, format, ideograms) {
  return (await post(`karyogram?format=${format}&ideograms=${ideograms}`, record)).blob();
}

export async function trainingData(record) {
  return (await post("karyotype/training-data", record)).blob();
}

function post(path, content, signal) {
  // With a type of its own: fetch would send a string as text.
  return ask(path, { method: "POST", body: new Blob([JSON.stringify(content)], { type: "application/json" }), signal });
}

function wellFormed(text) {
  return text.toWellFormed?.() ?? text;
}
