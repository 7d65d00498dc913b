// The keyboard in the karyogram. Letters work only while a chromosome has the focus, so they are in nobody's way.

const FAR = 1e6;

// `acts`: choose(index), move(typed), flip(), debris(), confirm(), next(). Undo and redo work on the whole page.
export function listen(root, sheet, acts) {
  root.addEventListener("keydown", (event) => {
    if (!event.target.closest(".chromosome") || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = actOf(event, sheet, acts);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

export function listenForUndo(undo, redo) {
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.closest?.("input, select, dialog")) return;
    const key = event.key.toLowerCase();
    const act = key === "y" || (key === "z" && event.shiftKey) ? redo : key === "z" ? undo : null;
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function actOf({ key }, sheet, acts) {
  if (/^[1-9xy]$/i.test(key)) return () => acts.move(key);
  const goal = target(key, sheet);
  if (goal) return () => acts.choose(Number(goal.dataset.index));
  const byLetter = { m: () => acts.move(""), f: acts.flip, d: acts.debris, n: acts.next, enter: acts.confirm, " ": acts.confirm };
  return byLetter[key.toLowerCase()];
}

function target(key, sheet) {
  const all = sheet.elements();
  const here = all.indexOf(sheet.element(sheet.current));
  if (key === "ArrowRight") return all[Math.min(here + 1, all.length - 1)];
  if (key === "ArrowLeft") return all[Math.max(here - 1, 0)];
  if (key === "Home") return all[0];
  if (key === "End") return all.at(-1);
  if (key === "ArrowDown") return beside(all, all[here], 1);
  return key === "ArrowUp" ? beside(all, all[here], -1) : null;
}

// The nearest in the next line of slots, below (1) or above (-1).
function beside(all, from, way) {
  const start = lineOf(from);
  const further = all.map((element) => ({ element, ...lineOf(element) })).filter(({ y }) => way * (y - start.y) > 8);
  const nearest = Math.min(...further.map(({ y }) => way * y), FAR);
  const line = further.filter(({ y }) => way * y - nearest < 8);
  line.sort((a, b) => Math.abs(a.x - start.x) - Math.abs(b.x - start.x));
  return line[0]?.element ?? from;
}

function lineOf(element) {
  const { left, width } = element.getBoundingClientRect();
  return { x: left + width / 2, y: element.parentElement.getBoundingClientRect().bottom };
}
