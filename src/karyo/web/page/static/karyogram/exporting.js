// What can be taken home: the picture, the record with the review, and training data with the corrected labels.

import { download } from "../download.js";
import { picture, trainingData } from "./server.js";

const PICTURES = new Set(["png", "svg", "pdf"]);

// Asks the server where it has to make the file, and gives the name under which it was saved.
export async function save(kind, record, ideograms) {
  const cell = fileName(record.name);
  if (PICTURES.has(kind)) return saved(await picture(record, kind, ideograms), `${cell}-karyogram.${kind}`);
  if (kind === "zip") return saved(await trainingData(record), `${cell}-training-data.zip`);
  return saved(new Blob([`${JSON.stringify(record, null, 1)}\n`], { type: "application/json" }), `${cell}-karyotype.json`);
}

function saved(blob, name) {
  download(blob, name);
  return name;
}

// A name that every system takes: what separates folders or means something to a shell is left out.
export function fileName(name) {
  const clean = [...name].map((letter) => (/[\p{L}\p{N}._ -]/u.test(letter) ? letter : "-")).join("");
  return clean.replace(/^[. -]+|[. -]+$/g, "").slice(0, 80) || "cell";
}
