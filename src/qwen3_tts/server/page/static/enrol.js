// Making a voice: a recording or a file, what it says, a name, and the speaker's consent.
import { request } from "./api.js";
import { $, announce, showError } from "./dom.js";
import { Recorder, canRecord } from "./recorder.js";

const LONGEST_S = 30;
const LARGEST = 10 * 1024 * 1024; // what the server takes unless told otherwise
const SENTENCE =
  "The harbour was quiet that morning, and the gulls had not yet made up their minds about the weather.";
const CONSENT =
  "The person who made this voice stated on the page that it is their own or that its owner agreed.";

export class Enrolment {
  constructor(onMade) {
    this.onMade = onMade;
    this.file = null;
    this.recorder = null;
    $("record").addEventListener("click", () => (this.recorder ? this.#stop() : this.#record()));
    $("upload").addEventListener("change", () => this.#take($("upload").files[0]));
    $("clone").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#acceptDrops($("drop"));
    $("prompt-text").textContent = SENTENCE;
  }

  // cloning: true, false, or null while the model has not said.
  allow(cloning) {
    $("clone").hidden = cloning === false;
    $("clone-closed").hidden = cloning !== false;
    $("clone-closed").textContent =
      "The model that is loaded has fixed voices. Start the server with a Base checkpoint to clone new ones.";
  }

  #acceptDrops(zone) {
    zone.addEventListener("dragover", (event) => {
      event.preventDefault();
      zone.dataset.over = "true";
    });
    zone.addEventListener("dragleave", () => delete zone.dataset.over);
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      delete zone.dataset.over;
      this.#take(event.dataTransfer.files[0]);
    });
  }

  async #record() {
    this.#error();
    if (!canRecord()) {
      return this.#error(
        null,
        "Browsers allow recording only over https or on this machine itself. Upload a file instead.",
      );
    }
    this.recorder = new Recorder((level, seconds) => this.#level(level, seconds));
    try {
      await this.recorder.start();
    } catch (error) {
      await this.recorder.stop();
      this.recorder = null;
      const refused = error.name === "NotAllowedError";
      return this.#error(
        null,
        refused ? "The microphone was not allowed." : "No microphone could be opened.",
      );
    }
    $("prompt").hidden = $("level").hidden = false;
    $("record").dataset.on = "true";
    announce("Recording");
  }

  #level(level, seconds) {
    $("level").value = level;
    $("record-text").textContent = `Stop ${seconds.toFixed(0)} s`;
    if (seconds >= LONGEST_S) this.#stop();
  }

  async #stop() {
    const recorder = this.recorder;
    this.recorder = null;
    delete $("record").dataset.on;
    $("record-text").textContent = "Record again";
    $("level").hidden = $("prompt").hidden = true;
    const file = await recorder.stop();
    if (!file) return this.#error(null, "Nothing came from the microphone.");
    if (!$("transcript").value.trim()) $("transcript").value = SENTENCE;
    this.#take(file);
    announce("Recorded");
  }

  #take(file) {
    if (!file) return;
    this.#error();
    if (file.size > LARGEST) return this.#error(null, "The file is larger than 10 MB.");
    this.file = file;
    $("take").hidden = false;
    $("take-name").textContent = `${file.name}, ${(file.size / 1024).toFixed(0)} kB`;
    URL.revokeObjectURL($("take-audio").src);
    $("take-audio").src = URL.createObjectURL(file);
  }

  #missing() {
    if (!this.file) return ["record", "Record or upload what the voice sounds like."];
    if (!$("voice-name").value.trim()) return ["voice-name", "Give the voice a name."];
    if (!$("consent").checked)
      return ["consent", "Say that the speaker agrees, or do not clone this voice."];
    return null;
  }

  async #send() {
    const missing = this.#missing();
    if (missing) {
      $(missing[0]).focus();
      return this.#error(null, missing[1]);
    }
    this.#error();
    const form = new FormData();
    form.set("audio", this.file, this.file.name);
    const transcript = $("transcript").value.trim();
    if (transcript) form.set("transcript", transcript);
    form.set("name", $("voice-name").value.trim());
    form.set("consent", CONSENT);
    $("enrol").disabled = true;
    $("clone-state").textContent = "Listening to it …";
    try {
      const { voice } = await (
        await request("/api/v1/voices", { method: "POST", body: form })
      ).json();
      this.#empty();
      $("clone-state").textContent = `“${voice.name}” is ready and chosen.`;
      await this.onMade(voice);
    } catch (error) {
      $("clone-state").textContent = "";
      this.#error(error.code, error.message);
    } finally {
      $("enrol").disabled = false;
    }
  }

  #empty() {
    this.file = null;
    $("clone").reset();
    $("take").hidden = true;
    URL.revokeObjectURL($("take-audio").src);
    $("take-audio").removeAttribute("src");
    $("record-text").textContent = "Record";
  }

  #error(code, message) {
    showError($("clone-error"), code, message);
  }
}
