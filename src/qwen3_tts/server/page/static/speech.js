// The protocol of /api/v1/speak as this page uses it: one utterance at a time, the newest wins.
//
// `current` has been sent and not settled by the server; its sound is played as it comes. `next` waits
// for the socket, for a `start` to be answered, or for a cancelled one to be confirmed.
import { key } from "./api.js";
import { Clip } from "./clip.js";
import { Wire } from "./wire.js";

const CANCEL_S = 5; // a cancel that nobody confirms: the socket is opened anew

export class Speech {
  // page: {connection(state, waitS), ready(message), loading(message), failed(code, message, retryMs), changed(clip)}
  constructor(player, stats, page) {
    Object.assign(this, { player, stats, page });
    this.count = 0;
    this.ready = false;
    this.current = null;
    this.next = null;
    this.rate = 24000;
    this.output = {}; // sampleRate and speed: what `start` says beside the key
    this.sent = null; // the last `start` of this socket, as text
    this.starting = false;
    this.wire = new Wire("/api/v1/speak", {
      opened: () => this.#start(),
      closed: () => this.#closed(),
      state: (name, waitS) => this.page.connection(name, waitS),
      message: (message) => this.#message(message),
      audio: (data) => this.#audio(data),
    });
  }

  connect() {
    this.wire.connect();
  }

  reconnect() {
    this.wire.restart();
  }

  // `start` is sent as soon as something changes, so that no utterance waits for it.
  prepare(output) {
    this.output = output;
    if (this.ready && !this.current) this.#start();
  }

  // `manner` is what goes along with this text alone: voice, language, instructions, seed.
  speak(text, voiceName, manner, output) {
    this.cancel();
    this.output = output;
    const clip = new Clip({ id: `u${++this.count}`, text, voiceName, rate: output.sampleRate });
    clip.manner = manner;
    clip.sentAt = performance.now();
    this.next = clip;
    this.wire.connect();
    this.#advance();
    this.page.changed(clip);
    return clip;
  }

  cancel() {
    this.player.stop();
    if (this.next) this.#settle(this.next, "cancelled");
    this.next = null;
    const clip = this.current;
    if (!clip || clip.settled) return;
    this.#settle(clip, "cancelled");
    this.wire.send({ type: "cancel", requestId: clip.id });
    setTimeout(() => this.current === clip && this.wire.restart(), CANCEL_S * 1000);
  }

  #start() {
    const token = key.get();
    const message = {
      type: "start",
      encoding: "pcm16",
      ...this.output,
      ...(token && { authToken: token }),
    };
    const text = JSON.stringify(message);
    if (text === this.sent) return;
    this.sent = text;
    this.starting = true;
    this.wire.send(message);
  }

  #advance() {
    if (!this.next || this.current || !this.ready) return;
    this.#start();
    if (this.starting) return;
    const clip = (this.current = this.next);
    this.next = null;
    clip.rate = this.rate;
    this.wire.send({ type: "speak", text: clip.text, requestId: clip.id, ...clip.manner });
  }

  #audio(data) {
    const clip = this.current;
    if (!clip || clip.settled) return; // the tail of a cancelled one
    const samples = new Int16Array(data);
    this.stats.samplesReceived += samples.length;
    if (!clip.frames) this.player.begin(clip);
    clip.push(samples);
    if (samples.length) this.player.push(samples);
    this.page.changed(clip);
  }

  #message(message) {
    const act = {
      ready: () => {
        this.ready = true;
        this.page.ready(message);
      },
      started: () => {
        this.starting = false;
        this.rate = message.sampleRate ?? this.rate;
      },
      loading: () => this.page.loading(message),
      complete: () => this.#complete(message),
      error: () => this.#error(message),
      stopped: () => (this.wire.rest = message.reason === "shutdown" ? null : "idle"),
    }[message.type];
    act?.();
    this.#advance();
  }

  #ofCurrent(message) {
    return this.current && (message.requestId ?? this.current.id) === this.current.id;
  }

  #complete(message) {
    if (!this.#ofCurrent(message)) return;
    const clip = this.current;
    this.current = null;
    clip.ending = message.finishReason ?? "stop";
    clip.seed = message.seed ?? null;
    if (clip.settled) return; // it was cancelled while its end was on the way
    this.player.end();
    this.#settle(clip, "done");
  }

  #error(message) {
    const code = message.code ?? "ERROR";
    if (code === "UNAUTHORIZED") this.wire.rest = "locked";
    const ofStart = this.starting && !message.requestId;
    if (ofStart) {
      this.starting = false;
      this.sent = null;
    }
    const clip = ofStart ? this.next : this.#ofCurrent(message) ? this.current : null;
    if (ofStart) this.next = null;
    else if (clip) this.current = null;
    if (clip?.settled && code === "CANCELLED") return; // the answer to our cancel
    if (clip && !clip.settled) {
      this.player.end();
      this.#settle(clip, "failed", "error");
    }
    this.page.failed(code, message.message ?? "The server gave no reason.", message.retryAfterMs);
  }

  #closed() {
    this.ready = false;
    this.sent = null;
    this.starting = false;
    const clip = this.current;
    this.current = null;
    if (!clip || clip.settled) return;
    this.player.end();
    this.#settle(clip, "failed", "error");
    this.page.failed("CONNECTION", "The connection was lost before the speech was whole.");
  }

  #settle(clip, state, ending = clip.ending) {
    clip.state = state;
    clip.ending = state === "cancelled" ? "cancel" : ending;
    this.page.changed(clip);
  }
}
