// The 24 chromosomes, the rows that a karyogram has, and what a visitor types for a place.

export const LABELS = [...Array.from({ length: 22 }, (_, place) => String(place + 1)), "X", "Y"];
export const TRAY = "tray";
export const DEBRIS = "debris";

// Rows of Denver groups; the sex chromosomes stand last, as in a laboratory's own forms.
export const ROWS = [
  [{ group: "A", labels: ["1", "2", "3"] }, { group: "B", labels: ["4", "5"] }],
  [{ group: "C", labels: ["6", "7", "8", "9", "10", "11", "12"] }],
  [{ group: "D", labels: ["13", "14", "15"] }, { group: "E", labels: ["16", "17", "18"] }],
  [{ group: "F", labels: ["19", "20"] }, { group: "G", labels: ["21", "22"] }, { group: "sex", labels: ["X", "Y"] }],
];

// How many a normal cell with this many of each has: with a Y it is XY, without one XX.
export function usual(label, counts) {
  const male = (counts.Y ?? 0) > 0;
  if (label === "X") return male ? 1 : 2;
  if (label === "Y") return male ? 1 : 0;
  return 2;
}

// Gives a label, TRAY, DEBRIS, or null for what names no place: "7", "chr7", "x", "23" is no chromosome here.
export function placeOf(typed) {
  const text = typed.trim().toUpperCase().replace(/^(CHROMOSOME|CHR)?\s*0*(?=[1-9XY])/, "");
  if (LABELS.includes(text)) return text;
  if (/^(T|TRAY|U|UNPLACED)$/.test(text)) return TRAY;
  return /^(D|DEBRIS)$/.test(text) ? DEBRIS : null;
}

export function nameOf(place) {
  if (place === TRAY) return "the unplaced ones";
  return place === DEBRIS ? "debris" : `chromosome ${place}`;
}
