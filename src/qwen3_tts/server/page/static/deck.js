// The card with the sound: the clip in it, what can be done with it, and what is told about it.
import { save } from "./history.js";
import { $, clock, setIcon } from "./dom.js";
import { Scope } from "./scope.js";

const ENDINGS = {
  stop: "its end",
  length: "length limit",
  cancel: "you",
  error: "an error",
  preview: "its end",
};

export class Deck {
  // page: {replay(clip), waiting()}; `waiting` says what an unanswered clip waits for
  constructor(player, page) {
    Object.assign(this, { player, page });
    this.clip = null;
    this.ticking = false;
    this.scope = new Scope($("scope"), player);
    $("play").addEventListener("click", () => this.#toggle());
    $("download").addEventListener("click", () => save(this.clip));
    $("volume").addEventListener("input", () => player.setVolume(Number($("volume").value)));
    $("scope").addEventListener("click", (event) =>
      this.#seek(this.scope.secondsAt(event.clientX)),
    );
    $("scope").addEventListener("keydown", (event) => this.#key(event));
  }

  get busy() {
    return (this.clip !== null && !this.clip.settled) || this.player.playing || this.player.paused;
  }

  put(clip) {
    this.clip = clip;
    this.scope.show(clip);
    this.show();
  }

  show() {
    const { clip, player } = this;
    $("play").disabled = !clip?.frames;
    setIcon($("play"), player.playing ? "pause" : "play", player.playing ? "Pause" : "Play");
    $("download").disabled = !clip?.settled || !clip.frames;
    $("state").textContent = this.#words();
    this.#stats();
    this.#time();
  }

  #words() {
    const { clip, player } = this;
    if (!clip) return "Nothing spoken yet";
    if (player.paused) return "Paused";
    if (clip.state === "waiting") return this.page.waiting();
    if (player.playing && clip.id === "preview") return clip.text;
    if (player.playing) return clip.state === "failed" ? "Playing what arrived" : "Speaking";
    return { arriving: "Receiving", done: "Finished", cancelled: "Cancelled", failed: "Broke off" }[
      clip.state
    ];
  }

  #stats() {
    const { clip } = this;
    const put = (id, value, bad = false) => {
      $(id).textContent = value ?? "–";
      $(id).dataset.bad = bad;
    };
    put(
      "stat-first",
      clip?.firstMs == null ? null : `${Math.round(clip.firstMs).toLocaleString("en")} ms`,
    );
    put("stat-speed", clip?.realtime == null ? null : `${clip.realtime.toFixed(1)}× realtime`);
    put("stat-length", clip?.frames ? `${clip.seconds.toFixed(2)} s` : null);
    put("stat-gaps", clip?.frames ? String(clip.gaps) : null, clip?.gaps > 0);
    put(
      "stat-end",
      clip?.ending && (ENDINGS[clip.ending] ?? clip.ending.replace(":", ": ")),
      clip?.state === "failed",
    );
    put("stat-seed", clip?.seed);
  }

  // Runs with the screen while there is sound, and once for every change.
  #time() {
    const { clip, player } = this;
    const at = clip && player.clip === clip ? player.position / clip.rate : 0;
    const length = clip?.seconds ?? 0;
    this.scope.draw();
    $("now").textContent = clock(at);
    $("length").textContent = clock(length);
    $("scope").setAttribute("aria-valuemax", length.toFixed(1));
    $("scope").setAttribute("aria-valuenow", at.toFixed(1));
    $("scope").setAttribute(
      "aria-valuetext",
      clip ? `${at.toFixed(1)} of ${length.toFixed(1)} seconds` : "No sound yet",
    );
    if (!player.playing || this.ticking) return;
    this.ticking = true;
    requestAnimationFrame(() => {
      this.ticking = false;
      this.#time();
    });
  }

  #toggle() {
    if (this.player.playing) this.player.pause();
    else if (this.player.paused) this.player.resume();
    else if (this.clip?.settled) this.page.replay(this.clip);
  }

  #seek(seconds) {
    const { clip } = this;
    if (!clip?.settled || !clip.frames) return;
    this.player.play(clip, Math.round(Math.min(Math.max(0, seconds), clip.seconds) * clip.rate));
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!this.clip || (!step && event.key !== "Home")) return;
    event.preventDefault();
    this.#seek(step ? this.player.position / this.clip.rate + step : 0);
  }
}
