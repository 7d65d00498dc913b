// The wait while the server reads a cell: how long it has taken, and a way out of it.

const at = (id) => document.getElementById(id);
const MEGABYTE = 1_000_000;

export class Reading {
  #limits = {};
  #stopper = null;

  constructor() {
    at("cancel").addEventListener("click", () => this.#stopper?.abort());
  }

  // What the server takes, as it says itself.
  know(limits) {
    this.#limits = limits ?? {};
  }

  // Gives what `ask(signal)` gives; null if the visitor cancelled, or brought another cell meanwhile.
  async during(images, ask) {
    this.#check(images);
    this.#stopper?.abort();
    const stopper = new AbortController();
    this.#stopper = stopper;
    const what = images.length === 1 ? "The spread is" : `${images.length} images are`;
    const started = Date.now();
    const tick = () => { at("reading-text").textContent = `${what} being read: ${Math.round((Date.now() - started) / 1000)} s`; };
    tick();
    at("reading").hidden = false;
    const ticking = setInterval(tick, 1000);
    try {
      return await ask(stopper.signal);
    } catch (error) {
      if (stopper.signal.aborted) return null;
      throw error;
    } finally {
      clearInterval(ticking);
      if (this.#stopper === stopper) at("reading").hidden = true;
    }
  }

  // Said at once, instead of after a long way to the server.
  #check(images) {
    const { max_images: most, max_upload_bytes: largest } = this.#limits;
    if (most && images.length > most) {
      throw new Error(`This server takes ${most} images at most, not ${images.length}. Choose the images of one cell.`);
    }
    const bytes = images.reduce((sum, { size }) => sum + size, 0);
    if (largest && bytes > largest) {
      throw new Error(`These files have ${size(bytes)}; this server takes ${size(largest)} at most. Choose smaller ones.`);
    }
  }
}

function size(bytes) {
  return `${(bytes / MEGABYTE).toFixed(1)} MB`;
}
