// What was spoken in this visit: to hear again, to take along, to say once more.
import { $, icon, make } from "./dom.js";

const KEPT = 8;

export class History {
  // page: {replay(clip), reuse(clip), current()}
  constructor(page) {
    this.page = page;
    this.clips = [];
    $("history-clear").addEventListener("click", () => {
      this.clips = [];
      this.show();
      $("text").focus();
    });
  }

  add(clip) {
    this.clips = [clip, ...this.clips].slice(0, KEPT);
    this.show();
  }

  show() {
    const heard = this.clips.filter((clip) => clip.frames > 0);
    $("history").replaceChildren(...heard.map((clip) => this.#row(clip)));
    $("history-empty").hidden = heard.length > 0;
    $("history-clear").hidden = heard.length === 0;
  }

  #row(clip) {
    const line = clip.text.replace(/\s+/g, " ");
    const play = button("play", `Play “${short(line)}”`, () => this.page.replay(clip));
    const again = button("back", `Edit “${short(line)}”`, () => this.page.reuse(clip));
    const facts = [clip.voiceName, `${clip.seconds.toFixed(1)} s`];
    if (clip.state === "cancelled" || clip.state === "failed") facts.push(clip.state);
    const text = make(
      "div",
      {},
      make("div", { class: "line", dir: "auto" }, line),
      make("div", { class: "facts" }, facts.filter(Boolean).join(" · ")),
    );
    const row = make("li", {}, play, text, again, saveLink(clip));
    if (this.page.current() === clip) row.setAttribute("aria-current", "true");
    return row;
  }
}

function button(name, label, act) {
  const node = make(
    "button",
    { type: "button", class: "icon", "aria-label": label, title: label },
    icon(name),
  );
  node.addEventListener("click", act);
  return node;
}

function saveLink(clip) {
  return button("down", "Download as WAV", () => save(clip));
}

// The browser keeps the file's own copy, so the address is given up soon after.
export function save(clip) {
  const link = make("a", { href: URL.createObjectURL(clip.wav()), download: clip.fileName });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function short(text) {
  const letters = [...text];
  return letters.length > 40 ? `${letters.slice(0, 40).join("")}…` : text;
}
