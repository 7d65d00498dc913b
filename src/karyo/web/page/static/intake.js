// Images on their way in: chosen, dropped (folders too) or pasted. Each becomes {file, path}.

const IMAGE = /\.(png|jpe?g|tiff?|bmp)$/i;
const at = (id) => document.getElementById(id);
let pasted = 0;

// `take({found, skipped})` hears of everything that comes: by button, drop or paste.
export function listenForFiles(take) {
  for (const [button, field] of [["choose", "files"], ["choose-folder", "folder"]]) {
    at(button).addEventListener("click", () => at(field).click());
    at(field).addEventListener("change", () => take(fromInput(at(field))));
  }
  at("choose-folder").hidden = !("webkitdirectory" in HTMLInputElement.prototype);
  // Wherever on the page it falls: a browser would open the file instead and forget all results.
  addEventListener("dragover", (event) => {
    event.preventDefault();
    at("drop").classList.add("is-over");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) at("drop").classList.remove("is-over");
  });
  addEventListener("drop", async (event) => {
    event.preventDefault();
    at("drop").classList.remove("is-over");
    take(await fromDrop(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const found = fromPaste(event.clipboardData);
    if (found.length) take({ found });
  });
}

// Chosen one by one, every file is taken: if it is no image, the visitor should read so.
function fromInput(input) {
  const all = [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
  input.value = "";
  return input.webkitdirectory ? onlyImages(all) : { found: all, skipped: 0 };
}

async function fromDrop(transfer) {
  // The list of items is emptied as soon as this function waits for anything.
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const roots = items.map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  const found = [];
  let skipped = 0;
  for (const { entry, file } of roots) {
    if (entry?.isDirectory) {
      const inside = onlyImages(await walk(entry));
      for (const each of inside.found) found.push(each);
      skipped += inside.skipped;
    } else if (file) {
      found.push({ file, path: file.name });
    }
  }
  return { found, skipped };
}

function fromPaste(transfer) {
  return [...transfer.files].map((file) => {
    // What is copied out of a viewer has no name of its own; every such image is called image.png.
    if (file.name !== "image.png") return { file, path: file.name };
    pasted += 1;
    const named = new File([file], `pasted ${pasted}.png`, { type: file.type });
    return { file: named, path: named.name };
  });
}

// Of a folder only images are taken: notes and thumbnail files beside them are nobody's mistake.
function onlyImages(all) {
  const found = all.filter(({ file }) => IMAGE.test(file.name) && !file.name.startsWith("."));
  return { found, skipped: all.length - found.length };
}

async function walk(directory) {
  const found = [];
  const reader = directory.createReader();
  // It gives a hundred at a time, and an empty list at the end.
  for (let some = await entriesOf(reader); some.length; some = await entriesOf(reader)) {
    for (const entry of some) {
      if (entry.isDirectory) {
        for (const each of await walk(entry)) found.push(each);
      } else {
        found.push(await fileOf(entry));
      }
    }
  }
  return found;
}

function entriesOf(reader) {
  return new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
}

function fileOf(entry) {
  return new Promise((resolve) => {
    const path = entry.fullPath.replace(/^\//, "");
    // What cannot be opened is still shown: sending it will say why it failed.
    entry.file((file) => resolve({ file, path }), () => resolve({ file: new File([], entry.name), path }));
  });
}
