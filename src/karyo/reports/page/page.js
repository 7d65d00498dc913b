"use strict";

// Light or dark: as the system says until the reader chooses.
const root = document.documentElement;
const themeButton = document.getElementById("theme");
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const stored = (() => { try { return localStorage.getItem("karyo-theme"); } catch { return null; } })();
if (stored === "dark" || stored === "light") root.dataset.theme = stored;

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches;
}

function nameTheme() {
  themeButton.textContent = isDark() ? "Light" : "Dark";
  themeButton.setAttribute("aria-label", isDark() ? "Show in light colours" : "Show in dark colours");
}

themeButton.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("karyo-theme", root.dataset.theme); } catch { /* pages from disk may be denied storage */ }
  nameTheme();
});
prefersDark.addEventListener("change", nameTheme);
themeButton.hidden = false;
nameTheme();

// Sorting: what is not known stays at the end, equals keep their order.
function keyOf(cell, numeric) {
  if (!numeric) return cell.textContent.trim();
  return cell.dataset.order === "" || cell.dataset.order === undefined ? null : Number(cell.dataset.order);
}

function sortBy(table, header) {
  const column = [...header.parentNode.children].indexOf(header);
  const numeric = header.dataset.kind === "number";
  const before = header.getAttribute("aria-sort");
  const first = header.dataset.first;
  const other = first === "ascending" ? "descending" : "ascending";
  const direction = before === first ? other : first;
  for (const each of header.parentNode.children) each.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction);
  const sign = direction === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const lines = [...body.rows].map((row) => [keyOf(row.cells[column], numeric), row]);
  lines.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (numeric ? a - b : a.localeCompare(b, undefined, { numeric: true }));
  });
  body.append(...lines.map(([, row]) => row));
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortBy(button.closest("table"), button.closest("th")));
}

// Filter: every word has to stand somewhere in the line.
for (const field of document.querySelectorAll("input[data-filters]")) {
  const body = document.getElementById(field.dataset.filters).tBodies[0];
  const said = document.getElementById(`${field.dataset.filters}-count`);
  const apply = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      left += !row.hidden;
    }
    said.textContent = words.length ? `${left} of ${body.rows.length}` : "";
  };
  field.addEventListener("input", apply);
  field.closest("label").hidden = false;
}

// The settings in which two runs differ.
const differences = document.getElementById("differences");
if (differences) {
  const data = JSON.parse(document.getElementById("settings-data").textContent);
  const [first, second] = ["first-run", "second-run"].map((id) => document.getElementById(id));
  const said = document.getElementById("differences-said");

  const cell = (row, text, kind) => {
    const made = document.createElement(kind);
    if (text === null) {
      made.textContent = "not set";
      made.className = "faint";
    } else {
      made.textContent = text === "" ? "“”" : text;
    }
    row.append(made);
  };

  const show = () => {
    const [one, two] = [data.runs[first.value], data.runs[second.value]];
    const body = differences.tBodies[0];
    body.replaceChildren();
    data.names.forEach((name, place) => {
      if (one.values[place] === two.values[place]) return;
      const row = body.insertRow();
      cell(row, name, "th");
      row.lastChild.scope = "row";
      cell(row, one.values[place], "td");
      cell(row, two.values[place], "td");
    });
    const found = body.rows.length;
    differences.hidden = !found;
    const equal = data.shared + data.names.length - found;
    said.textContent = found
      ? `${found} setting${found === 1 ? " differs" : "s differ"}, ${equal} are the same.`
      : first.value === second.value ? "This is the same run twice." : "No setting differs.";
    document.getElementById("first-directory").textContent = one.directory;
    document.getElementById("second-directory").textContent = two.directory;
  };

  first.addEventListener("change", show);
  second.addEventListener("change", show);
  document.getElementById("swap").addEventListener("click", () => {
    [first.value, second.value] = [second.value, first.value];
    show();
  });
  show();
}
