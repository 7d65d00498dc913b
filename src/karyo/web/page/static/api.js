// The server's API, from the same origin only. Whatever goes wrong becomes a Refusal with a sentence for people.

const BASE = new URL("api/v1/", document.baseURI);
const BUSY = new Set([429, 502, 503, 504]);

// The key lives in this variable and nowhere else.
let key = "";

export class Refusal extends Error {
  // status 0: the server could not be reached, or cut the connection.
  constructor(message, status, code = "", wait = 0) {
    super(message);
    Object.assign(this, { status, code, wait });
  }

  get busy() { return BUSY.has(this.status); }
}

export function useKey(value) {
  key = value;
}

export async function predict(files, signal) {
  const form = new FormData();
  for (const file of files) form.append("image", file, file.name.toWellFormed?.() ?? file.name);
  const answer = await (await ask("predict?top=5", { method: "POST", body: form, signal })).json();
  if (answer.predictions?.length !== files.length) {
    throw new Refusal("The server did not answer for every image that was sent.", 500, "answer_incomplete");
  }
  return answer.predictions;
}

// Gives a PNG as a blob.
export async function picture(kind, file, signal) {
  const form = new FormData();
  form.append("image", file, file.name.toWellFormed?.() ?? file.name);
  return (await ask(kind, { method: "POST", body: form, signal })).blob();
}

export async function model() {
  return (await ask("model")).json();
}

// There are 24 ideograms: each is asked for once and stays. By fetch, because an <img> could not carry the key.
const ideograms = new Map();

export function ideogram(label) {
  if (!ideograms.has(label)) {
    const asked = ask(`ideogram/${encodeURIComponent(label)}.svg`)
      .then((response) => response.blob())
      .then((blob) => URL.createObjectURL(blob));
    asked.catch(() => ideograms.delete(label));
    ideograms.set(label, asked);
  }
  return ideograms.get(label);
}

export async function isAlive() {
  try {
    return (await fetch(new URL("healthz", document.baseURI), { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

export async function ask(path, options = {}) {
  const headers = key ? { "X-API-Key": key } : {};
  let response;
  try {
    response = await fetch(new URL(path, BASE), { ...options, headers, credentials: "omit", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The server cannot be reached.", 0, "unreachable");
  }
  if (response.ok) return response;
  throw await refusalOf(response);
}

async function refusalOf(response) {
  const said = await response.json().catch(() => ({}));
  const { message, code } = said?.error ?? {};
  const sentence = typeof message === "string" && message ? message : `The server answered with status ${response.status}.`;
  const wait = Number(response.headers.get("Retry-After")) || 0;
  return new Refusal(sentence, response.status, code, wait);
}
