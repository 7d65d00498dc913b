// The form that asks for the server's key, shown only where the server wants one.

import { useKey } from "./api.js";

const at = (id) => document.getElementById(id);

// `entered` hears that there is a key to try.
export function listenForKey(entered) {
  at("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = at("key");
    // A header cannot carry anything else.
    if (!/^[\x21-\x7e]+$/.test(field.value.trim())) {
      at("key-said").textContent = "A key consists of letters, digits and signs without spaces.";
      return;
    }
    useKey(field.value.trim());
    field.value = "";
    at("key-form").dataset.tried = "yes";
    at("key-form").hidden = true;
    entered();
  });
}

export function askForKey() {
  at("key-said").textContent = at("key-form").dataset.tried
    ? "The server refused this key. Another one is kept in this page's memory only, too."
    : "This server asks for a key. It is kept in this page's memory only.";
  at("key-form").hidden = false;
  at("key").focus();
}
