// Computes the SHA-256 of a chosen file in the browser and looks it up; the file stays here.
"use strict";
(() => {
  const MOST = 2 ** 31;
  const file = document.getElementById("file");
  const button = document.getElementById("hash");
  const state = document.getElementById("hash-state");
  if (!window.crypto || !window.crypto.subtle) {
    return; // without https there is no WebCrypto: the upload and sha256sum remain
  }
  button.hidden = false;
  document.getElementById("hash-help").hidden = false;
  button.addEventListener("click", async () => {
    const chosen = file.files[0];
    if (!chosen) {
      file.reportValidity();
      return;
    }
    if (chosen.size > MOST) {
      state.textContent = "This file is larger than a browser hashes at once: use sha256sum.";
      return;
    }
    state.textContent = "Computing…";
    try {
      const digest = await crypto.subtle.digest("SHA-256", await chosen.arrayBuffer());
      const digits = Array.from(new Uint8Array(digest), (one) => one.toString(16).padStart(2, "0"));
      window.location.assign("/search?q=" + digits.join(""));
    } catch {
      state.textContent = "The file could not be read: use sha256sum.";
    }
  });
})();
