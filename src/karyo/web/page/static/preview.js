// Previews, made only near the window and let go of far from it: a thousand images are never decoded at once.
// What a browser shows by itself comes straight from the visitor's disk; TIFF, BMP and 16 bits are drawn by the server.

import { picture } from "./api.js";

const NEAR = "800px 0px";
const AT_ONCE = 3;
const KEPT_BYTES = 32 * 1024 * 1024;

export class Previews {
  #shown = new Map();
  #queue = [];
  #busy = 0;
  #kept = new Map();
  #keptBytes = 0;
  #eye = new IntersectionObserver((seen) => this.#look(seen), { rootMargin: NEAR });
  #entryOf = new WeakMap();

  watch(entry, element) {
    this.#entryOf.set(element, entry);
    this.#eye.observe(element);
  }

  forget(entry, element) {
    this.#eye.unobserve(element);
    this.#release(entry);
    this.#drop(entry);
  }

  // After the server was away: what could not be drawn is tried again.
  retry(elements) {
    for (const element of elements) {
      this.#eye.unobserve(element);
      this.#eye.observe(element);
    }
  }

  #look(seen) {
    for (const { target, isIntersecting } of seen) {
      const entry = this.#entryOf.get(target);
      if (isIntersecting) this.#show(entry);
      else this.#release(entry);
    }
  }

  #show(entry) {
    if (this.#shown.has(entry) || entry.state === "error") return;
    const view = { stopper: new AbortController(), url: "" };
    this.#shown.set(entry, view);
    this.#queue.push([entry, view]);
    this.#work();
  }

  #release(entry) {
    const view = this.#shown.get(entry);
    if (!view) return;
    view.stopper.abort();
    this.#shown.delete(entry);
    entry.card.photo("");
    if (view.url) URL.revokeObjectURL(view.url);
  }

  async #work() {
    if (this.#busy >= AT_ONCE || !this.#queue.length) return;
    this.#busy += 1;
    const [entry, view] = this.#queue.shift();
    if (!view.stopper.signal.aborted) await this.#draw(entry, view);
    this.#busy -= 1;
    this.#work();
  }

  async #draw(entry, view, byServer = false) {
    try {
      const own = !byServer && (await isNative(entry.file));
      const blob = own ? entry.file : await this.#drawn(entry, view.stopper.signal);
      if (view.stopper.signal.aborted) return;
      view.url = URL.createObjectURL(blob);
      entry.card.photo(view.url, () => this.#failed(entry, view, own));
    } catch (error) {
      if (view.stopper.signal.aborted) return;
      this.#shown.delete(entry);
      // A server that is away may come back; an image that it cannot read stays as it is.
      if (error.status !== 0 && error.status !== 401) entry.card.noPhoto();
    }
  }

  // The browser could not decode it after all: perhaps the server can.
  #failed(entry, view, own) {
    URL.revokeObjectURL(view.url);
    view.url = "";
    entry.card.photo("");
    if (own && !view.stopper.signal.aborted) this.#draw(entry, view, true);
    else entry.card.noPhoto();
  }

  async #drawn(entry, signal) {
    const before = this.#kept.get(entry);
    this.#drop(entry);
    const blob = before ?? (await picture("preview", entry.file, signal));
    this.#kept.set(entry, blob);
    this.#keptBytes += blob.size;
    for (const oldest of this.#kept.keys()) {
      if (this.#keptBytes <= KEPT_BYTES) break;
      this.#drop(oldest);
    }
    return blob;
  }

  #drop(entry) {
    this.#keptBytes -= this.#kept.get(entry)?.size ?? 0;
    this.#kept.delete(entry);
  }
}

// By content, not by name. Of a PNG with 16 bits a browser shows the upper eight, which of a 12-bit camera are black.
export async function isNative(file) {
  const start = new Uint8Array(await file.slice(0, 25).arrayBuffer());
  const begins = (...bytes) => bytes.every((byte, place) => start[place] === byte);
  if (begins(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return start[24] <= 8;
  return begins(0xff, 0xd8, 0xff);
}
