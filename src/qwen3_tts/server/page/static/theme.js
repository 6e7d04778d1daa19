// The chosen theme, set before the first paint: "light", "dark" or, when nothing is kept, the system's.
// A classic script on purpose; modules run after the page has been drawn.
"use strict";
(() => {
  let kept = null;
  try {
    kept = localStorage.getItem("qwen3-tts.theme");
  } catch {
    // storage is blocked: the system's theme it is
  }
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
