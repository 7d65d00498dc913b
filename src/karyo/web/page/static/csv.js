// Results as a table for spreadsheets, with the columns of `karyo predict --csv`.

const COLUMNS = ["path", "label", "probability", "second", "second_probability", "rejected", "reasons", "error"];
const FORMULA = /^[\s\u0000]*[=+\-@\uFF0B\uFF0D\uFF1D\uFF20]|^[\t\r\n]/;

export function toCsv(entries) {
  const lines = [COLUMNS, ...entries.map(rowOf)];
  // The mark at the start tells spreadsheets that it is UTF-8.
  return `\uFEFF${lines.map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}

function rowOf({ path, prediction, error }) {
  if (!prediction) return [path, "", "", "", "", "", "", error ?? ""];
  const second = prediction.top[1] ?? { label: "", probability: "" };
  const { label, probability, rejected, reasons } = prediction;
  return [path, label, probability, second.label, second.probability, rejected ? "yes" : "no", reasons.join(" "), ""];
}

// A file may be named =1+1: a quote before it keeps a spreadsheet from calculating it.
function cell(value) {
  const text = String(value).toWellFormed?.() ?? String(value);
  const safe = typeof value === "string" && FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n;\t]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
