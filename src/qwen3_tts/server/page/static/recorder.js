// A recording from the microphone as a 16-bit WAV file, made in the page: every server reads that.
import { wavFile } from "./clip.js";

export const canRecord = () =>
  Boolean(navigator.mediaDevices?.getUserMedia && window.AudioWorkletNode);

export class Recorder {
  constructor(onLevel) {
    this.onLevel = onLevel; // told the loudest sample, 0 to 1, and the seconds so far, ten times a second
    this.blocks = [];
    this.frames = 0;
  }

  async start() {
    // unprocessed, for what noise gates and echo cancellers do to a voice would be cloned with it
    const audio = {
      channelCount: 1,
      echoCancellation: false,
      noiseSuppression: false,
      autoGainControl: false,
    };
    this.microphone = await navigator.mediaDevices.getUserMedia({ audio });
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("/static/recorder-worklet.js");
    const tap = new AudioWorkletNode(this.context, "tap", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    tap.port.onmessage = ({ data }) => this.#take(data);
    this.context.createMediaStreamSource(this.microphone).connect(tap);
    await this.context.resume();
  }

  #take(block) {
    this.blocks.push(
      Int16Array.from(block, (sample) =>
        Math.max(-32768, Math.min(32767, Math.round(sample * 32767))),
      ),
    );
    this.frames += block.length;
    this.onLevel(
      block.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0),
      this.frames / this.context.sampleRate,
    );
  }

  // Ends the recording and gives it as a file.
  async stop() {
    this.microphone?.getTracks().forEach((track) => track.stop());
    const rate = this.context?.sampleRate;
    await this.context?.close();
    if (!this.frames) return null;
    const all = new Int16Array(this.frames);
    let at = 0;
    for (const block of this.blocks) {
      all.set(block, at);
      at += block.length;
    }
    return new File([wavFile(all, rate)], "recording.wav", { type: "audio/wav" });
  }
}
