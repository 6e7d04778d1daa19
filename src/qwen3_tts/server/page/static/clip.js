// One utterance as it was received: 16-bit samples exactly as sent, and peaks to draw it with.

const PEAK_S = 0.005; // one peak for every 5 ms

export class Clip {
  constructor({ id, text, voiceName, rate }) {
    Object.assign(this, { id, text, voiceName, rate });
    this.chunks = [];
    this.frames = 0;
    this.peaks = [];
    this.state = "waiting"; // waiting, arriving, done, cancelled, failed
    this.sentAt = 0;
    this.firstMs = null;
    this.realtime = null;
    this.gaps = 0;
    this.ending = null;
    this.seed = null;
    this.openPeak = 0;
    this.openCount = 0;
  }

  get seconds() {
    return this.frames / this.rate;
  }

  get settled() {
    return this.state !== "waiting" && this.state !== "arriving";
  }

  push(samples) {
    const elapsed = performance.now() - this.sentAt;
    if (!this.frames) {
      this.firstMs = elapsed;
      this.state = "arriving";
    }
    this.chunks.push(samples);
    this.frames += samples.length;
    this.realtime = (this.seconds * 1000) / elapsed;
    this.#measure(samples);
  }

  #measure(samples) {
    const width = Math.max(1, Math.round(this.rate * PEAK_S));
    for (const sample of samples) {
      const height = Math.abs(sample);
      if (height > this.openPeak) this.openPeak = height;
      if (++this.openCount === width) {
        this.peaks.push(this.openPeak / 32768);
        this.openPeak = 0;
        this.openCount = 0;
      }
    }
  }

  samplesFrom(frame) {
    const all = new Int16Array(Math.max(0, this.frames - frame));
    let at = 0;
    for (const chunk of this.chunks) {
      const start = at - frame;
      if (start >= 0) all.set(chunk, start);
      else if (start + chunk.length > 0) all.set(chunk.subarray(-start), 0);
      at += chunk.length;
    }
    return all;
  }

  wav() {
    return wavFile(this.samplesFrom(0), this.rate);
  }

  get fileName() {
    const words = this.text
      .normalize("NFC")
      .replace(/[^\p{L}\p{N}]+/gu, "-")
      .replace(/^-+|-+$/g, "");
    return `${[...words].slice(0, 40).join("").toLowerCase() || "speech"}.wav`;
  }
}

// A mono 16-bit WAV file of these samples.
export function wavFile(samples, rate) {
  const file = new DataView(new ArrayBuffer(44 + samples.length * 2));
  const word = (at, text) =>
    [...text].forEach((letter, i) => file.setUint8(at + i, letter.charCodeAt(0)));
  word(0, "RIFF");
  file.setUint32(4, 36 + samples.length * 2, true);
  word(8, "WAVEfmt ");
  file.setUint32(16, 16, true);
  file.setUint16(20, 1, true);
  file.setUint16(22, 1, true);
  file.setUint32(24, rate, true);
  file.setUint32(28, rate * 2, true);
  file.setUint16(32, 2, true);
  file.setUint16(34, 16, true);
  word(36, "data");
  file.setUint32(40, samples.length * 2, true);
  samples.forEach((sample, i) => file.setInt16(44 + i * 2, sample, true));
  return new Blob([file.buffer], { type: "audio/wav" });
}
