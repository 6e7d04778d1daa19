// How it stands with the server: the chip in the corner, and the bar while the model is loaded.
import { $ } from "./dom.js";

const WORDS = { connecting: "Connecting", idle: "Asleep", locked: "Key needed", ready: "Ready" };

export class Status {
  constructor(onChange) {
    this.onChange = onChange;
    this.state = "connecting"; // waiting, loading, and the words above
    this.timer = null;
  }

  set(state, waitS) {
    this.state = state;
    clearInterval(this.timer);
    $("loading").hidden = true;
    if (state === "waiting") this.#countDown(performance.now() + waitS * 1000);
    else $("connection-text").textContent = WORDS[state];
    this.onChange();
  }

  #countDown(until) {
    const tell = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      $("connection-text").textContent = left > 0 ? `Reconnecting in ${left} s` : "Reconnecting";
    };
    tell();
    this.timer = setInterval(tell, 500);
  }

  // A share from 0 to 1 where the server knows it, and how long it may still take.
  loading({ progress, etaMs }) {
    if (progress >= 1) return this.loaded();
    this.state = "loading";
    const share = progress == null ? "" : ` ${Math.round(progress * 100)} %`;
    const left = etaMs ? `, about ${Math.ceil(etaMs / 1000)} s left` : "";
    if (progress == null) $("loading-bar").removeAttribute("value");
    else $("loading-bar").value = progress;
    $("loading").hidden = false;
    $("loading-text").textContent = `Loading the model${share}${left}`;
    $("connection-text").textContent = `Loading${share}`;
    this.onChange();
  }

  loaded() {
    if (this.state === "loading") this.set("ready");
  }

  // What a text without an answer waits for.
  get obstacle() {
    return { ready: "first sound", loading: "model" }[this.state] ?? "server";
  }

  dot(busy) {
    $("connection").dataset.state = this.state === "ready" && busy ? "busy" : this.state;
  }
}
