// What the visitor brings: one spread, the many images of one cell, or a review that was saved before.

import { LABELS } from "./labels.js";

const BROKEN = "is no karyotype that this page can open. Choose a JSON file that this page or karyo karyotype has saved.";

// Sorts files into {saved, images, annotation, name}; throws an Error with a sentence where they do not go together.
export function sorted(found) {
  const ending = ({ file }) => file.name.toLowerCase().split(".").at(-1);
  const saved = found.filter((each) => ending(each) === "json");
  const annotations = found.filter((each) => ending(each) === "xml");
  const images = found.filter((each) => !saved.includes(each) && !annotations.includes(each));
  const wrong = mismatch(saved.length, images.length, annotations.length);
  if (wrong) throw new Error(wrong);
  return {
    saved: saved[0]?.file ?? null,
    images: images.map(({ file }) => file),
    annotation: annotations[0]?.file ?? null,
    name: images.length ? cellName(images) : "",
  };
}

function mismatch(saved, images, annotations) {
  if (saved > 1) return "Several saved reviews came at once. Open one cell at a time.";
  if (!saved && !images) return "There is no image among these files. Choose a spread, or the images of one cell.";
  if (annotations > 1) return "Several XML files came at once. An annotation belongs to one spread: choose both together.";
  if (annotations && images !== 1) return "An XML annotation belongs to one spread. Choose it together with that one image.";
  return "";
}

// A spread is called as its file, many images as the folder that they came from.
function cellName(images) {
  if (images.length === 1) return images[0].file.name.replace(/\.[^.]+$/, "");
  const folders = new Set(images.map(({ path }) => path.split("/").slice(0, -1).at(-1) ?? ""));
  return folders.size === 1 ? [...folders][0] || "cell" : "cell";
}

// Reads a saved review; throws an Error with a sentence where it is none.
export async function readSaved(file) {
  let record;
  try {
    record = JSON.parse(await file.text());
  } catch {
    throw new Error(`${file.name} ${BROKEN}`);
  }
  return checked(record, file.name);
}

// What comes from a file or from a server of another version is looked at before it is shown.
export function checked(record, source) {
  const known = record?.format === 1 && Array.isArray(record.objects) && record.objects.every(isObject);
  if (!known) throw new Error(`${source} ${BROKEN}`);
  if (!record.objects.length) throw new Error(`${source} holds no chromosome. Choose another cell.`);
  return {
    ...record,
    name: String(record.name ?? "cell"),
    iscn: String(record.iscn ?? ""),
    remarks: Array.isArray(record.remarks) ? record.remarks.map(String) : [],
    objects: record.objects.map(withFlags),
  };
}

function withFlags(object) {
  const { place = null, reviewed, debris, turned, doubtful } = object;
  const flags = { reviewed: reviewed === true, debris: debris === true, turned: turned === true, doubtful: doubtful !== false };
  return { ...object, ...flags, place };
}

function isObject(object) {
  const { name, place, probability, picture, outline, edges } = object ?? {};
  return typeof name === "string" && (place == null || LABELS.includes(place)) && Number.isFinite(probability)
    && (picture == null || (typeof picture === "string" && picture.startsWith("data:image/png;base64,")))
    && (edges == null || (edges.length === 4 && edges.every(Number.isFinite)))
    && (outline == null || (Array.isArray(outline) && outline.every(isPoint)));
}

function isPoint(point) {
  return Array.isArray(point) && point.length === 2 && point.every(Number.isFinite);
}
