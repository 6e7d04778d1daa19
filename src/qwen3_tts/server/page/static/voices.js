// The list of voices: choosing one, hearing it, deleting an own one.
import { ApiError, request } from "./api.js";
import { $, lasting, make } from "./dom.js";

export class Voices {
  // page: {chosen(voice), failed(code, message), play(samples, rate, name)}
  constructor(page) {
    this.page = page;
    this.list = [];
    this.known = false; // whether the server has told them
    $("voice").addEventListener("change", () => this.#choose());
    $("preview").addEventListener("click", () => this.#preview());
    $("forget").addEventListener("click", () => this.#forget());
  }

  get chosen() {
    return this.list.find((voice) => voice.id === $("voice").value);
  }

  // Reads the list anew; keeps what was chosen, or takes `wanted`.
  async refresh(wanted = lasting.get("voice")) {
    let body;
    try {
      body = await (await request("/api/v1/voices")).json();
    } catch (error) {
      this.page.failed(error.code, error.message);
      return;
    }
    this.list = body.voices;
    this.known = true;
    const own = this.list.filter((voice) => isOwn(voice));
    const given = this.list.filter((voice) => !isOwn(voice));
    $("voice").replaceChildren(...groups(given, own));
    const chosen =
      this.list.find((voice) => voice.id === wanted) ??
      this.list.find((voice) => voice.isDefault) ??
      this.list[0];
    if (chosen) $("voice").value = chosen.id;
    this.#show();
  }

  #choose() {
    lasting.set("voice", this.chosen?.id ?? null);
    this.#show();
    this.page.chosen(this.chosen);
  }

  #show() {
    const voice = this.chosen;
    const words = [voice?.description, voice?.language].filter((word) => word && word !== "Auto");
    $("voice-hint").textContent =
      words.join(" · ") || (this.list.length ? "" : "This server has no voices yet.");
    $("forget").hidden = !voice || !isOwn(voice);
    $("preview").disabled = $("voice").disabled = !voice;
  }

  async #preview() {
    const voice = this.chosen;
    $("preview").setAttribute("aria-busy", "true");
    try {
      const response = await request(`/api/v1/voices/${encodeURIComponent(voice.id)}/preview`);
      await this.page.play(await response.arrayBuffer(), voice.name);
    } catch (error) {
      const known = error instanceof ApiError;
      this.page.failed(
        known ? error.code : "PREVIEW",
        known ? error.message : "This preview cannot be played here.",
      );
    } finally {
      $("preview").removeAttribute("aria-busy");
    }
  }

  async #forget() {
    const voice = this.chosen;
    $("confirm-text").textContent =
      `Delete the voice “${voice.name}”? Its recording goes with it, for everyone who uses this server.`;
    $("confirm").returnValue = "no";
    $("confirm").showModal();
    await new Promise((resolve) => $("confirm").addEventListener("close", resolve, { once: true }));
    if ($("confirm").returnValue !== "yes") return;
    try {
      await request(`/api/v1/voices/${encodeURIComponent(voice.id)}`, { method: "DELETE" });
    } catch (error) {
      this.page.failed(error.code, error.message);
    }
    lasting.set("voice", null);
    await this.refresh();
    this.page.chosen(this.chosen);
  }
}

function isOwn(voice) {
  return voice.kind === "cloned";
}

function groups(given, own) {
  const options = (voices) =>
    voices.map((voice) => make("option", { value: voice.id }, nameOf(voice)));
  if (!own.length) return options(given);
  const group = (label, voices) => make("optgroup", { label }, ...options(voices));
  return [group("Own voices", own), ...(given.length ? [group("Built in", given)] : [])];
}

function nameOf(voice) {
  return voice.isDefault ? `${voice.name} (default)` : voice.name;
}
