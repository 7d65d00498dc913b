// What still has to be classified: batches of images, two on their way at a time. A batch that the server will not
// take is halved until the image at fault stands alone; a server that is away stops the queue until somebody says go.

import { isAlive, predict, Refusal } from "./api.js";

const LANES = 2;
const IMAGES = 16;
const MEGABYTE = 1024 * 1024;
const BYTES = 24 * MEGABYTE;
// What a form adds to each image.
const WRAPPING = 4096;
const PATIENCE = [1, 2, 4];

export class Queue {
  #waiting = [];
  #parts = [];
  #lanes = 0;
  #going = false;
  #stopper = new AbortController();
  #tell;
  #images = IMAGES;
  #bytes = BYTES;
  #largest = Infinity;

  // tell: {changed(), halted(refusal)}; the entries carry their state themselves.
  constructor(tell) {
    this.#tell = tell;
  }

  get left() { return this.#waiting.length + this.#parts.flat().length; }
  get running() { return this.#going && this.#lanes > 0; }

  // What the server says that it takes in one request.
  limit({ max_images: images = IMAGES, max_upload_bytes: bytes = Infinity } = {}) {
    this.#images = Math.min(IMAGES, images);
    this.#bytes = Math.min(BYTES, bytes);
    this.#largest = bytes;
  }

  add(entries) {
    this.#waiting.push(...entries);
    this.go();
  }

  go() {
    if (!this.#going) this.#stopper = new AbortController();
    this.#going = true;
    this.#fill();
    this.#tell.changed();
  }

  stop() {
    this.#going = false;
    this.#stopper.abort();
    this.#tell.changed();
  }

  clear() {
    this.#waiting = [];
    this.#parts = [];
    this.stop();
  }

  #fill() {
    while (this.#going && this.#lanes < LANES && this.left > 0) this.#lane();
  }

  #next() {
    if (this.#parts.length) return this.#parts.shift();
    let bytes = 0;
    const full = this.#waiting.findIndex((entry, place) => {
      bytes += entry.file.size + WRAPPING;
      return place === this.#images || (place > 0 && bytes > this.#bytes);
    });
    return this.#waiting.splice(0, full < 0 ? this.#waiting.length : full);
  }

  async #lane() {
    this.#lanes += 1;
    const { signal } = this.#stopper;
    for (let batch = this.#next(); batch.length; batch = signal.aborted || !this.#going ? [] : this.#next()) {
      await this.#send(batch, signal);
    }
    this.#lanes -= 1;
    // Somebody may have said stop and go before this lane came to its end.
    this.#fill();
    if (this.#lanes === 0 && this.left === 0) this.#going = false;
    this.#tell.changed();
  }

  async #send(batch, signal) {
    // Not sent at all: a server hangs up in the middle of what is too large, and then cannot say why.
    if (batch[0].file.size + WRAPPING > this.#largest) return this.#fail(batch[0], tooLarge(batch[0].file, this.#largest));
    mark(batch, "sending");
    this.#tell.changed();
    try {
      const answers = await patiently(() => predict(batch.map((entry) => entry.file), signal), signal);
      if (signal.aborted) return this.#giveBack(batch);
      batch.forEach((entry, place) => settle(entry, answers[place]));
      this.#tell.changed();
    } catch (error) {
      if (signal.aborted) return this.#giveBack(batch);
      const refusal = error instanceof Refusal ? error : new Refusal(`The server's answer cannot be read (${error.message}).`, 500);
      await this.#recover(batch, refusal, signal);
    }
    return undefined;
  }

  async #recover(batch, refusal, signal) {
    const away = refusal.status === 0 && !(await isAlive());
    if (signal.aborted) return this.#giveBack(batch);
    if (away || refusal.busy || refusal.status === 401 || refusal.status === 403) {
      this.#giveBack(batch);
      this.#going = false;
      this.#tell.halted(refusal);
    } else if (batch.length > 1) {
      this.#parts.unshift(...cut(batch, refusal.status === 422 ? 1 : Math.ceil(batch.length / 2)));
      mark(batch, "waiting");
      this.#fill();
    } else {
      this.#fail(batch[0], await blame(batch[0], refusal));
    }
    return undefined;
  }

  #fail(entry, message) {
    entry.error = message;
    entry.state = "error";
    this.#tell.changed();
  }

  #giveBack(batch) {
    if (batch.every((entry) => entry.gone)) return;
    mark(batch, "waiting");
    this.#parts.unshift(batch);
  }
}

function mark(batch, state) {
  for (const entry of batch) entry.state = state;
}

function settle(entry, answer) {
  if (answer.error) {
    entry.error = sentence(answer.error.message);
    entry.state = "error";
  } else {
    entry.prediction = answer;
    entry.state = answer.rejected ? "rejected" : "accepted";
  }
}

function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function tooLarge(file, largest) {
  const size = (bytes) => `${(bytes / MEGABYTE).toFixed(1)} MB`;
  return `It has ${size(file.size)}; this server takes ${size(largest)} at most.`;
}

function cut(batch, size) {
  const parts = [];
  for (let place = 0; place < batch.length; place += size) parts.push(batch.slice(place, place + size));
  return parts;
}

// A busy server is asked again after a moment, a few times.
async function patiently(attempt, signal) {
  for (const seconds of PATIENCE) {
    try {
      return await attempt();
    } catch (error) {
      if (!error.busy || signal.aborted) throw error;
      await pause(Math.min(Math.max(seconds, error.wait), 10), signal);
    }
  }
  return attempt();
}

function pause(seconds, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, 1000 * seconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
  });
}

// Why one image alone failed. The browser says no more than "failed" when a file has gone from the disk, or when the
// server hangs up on a large one.
async function blame(entry, refusal) {
  if (refusal.status !== 0) return refusal.status === 413 ? `It is too large for this server. ${refusal.message}` : refusal.message;
  try {
    await entry.file.slice(0, 1).arrayBuffer();
  } catch {
    return "The file can no longer be read from the disk. Was it moved or changed?";
  }
  return "The server closed the connection while the file was being sent; it may be too large for this server.";
}
