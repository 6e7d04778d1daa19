// Plays chunks back to back on the audio clock, without a gap or a click between them.
//
// The context runs at the stream's own rate and the cursor counts whole samples, so each chunk starts
// on the sample after the last one's end. Buffer sources work on any page; worklets would need https.

const LEAD_S = 0.06; // between the first chunk's arrival and its sound
const LEAD_MAX_S = 0.5; // a lead grows with every gap, up to this
const FADE_S = 0.015; // a stop fades, for a cut clicks

// Puts samples on the graph so that the first one sounds at `frame` of the clock.
export function schedule(context, target, samples, rate, frame) {
  const buffer = context.createBuffer(1, samples.length, rate);
  const wave = buffer.getChannelData(0);
  for (let i = 0; i < samples.length; i++) wave[i] = samples[i] / 32768;
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(target);
  source.start(frame / rate);
  return source;
}

export class Player {
  constructor(stats, onChange) {
    this.stats = stats;
    this.onChange = onChange; // told when sound begins, ends, pauses
    this.context = null;
    this.rate = 0;
    this.volume = 1;
    this.clear();
  }

  clear() {
    this.clip = null;
    this.parts = []; // what is on the graph: {source, frame on the clock, first sample, length}
    this.cursor = null; // the clock's frame after the last scheduled sample
    this.taken = 0; // samples of the clip given to the graph, its start included
    this.heard = 0; // where the sound has got to, once nothing is on the graph
    this.live = false;
    this.lead = LEAD_S;
  }

  get playing() {
    return this.parts.length > 0 && this.context?.state === "running";
  }

  get paused() {
    return this.parts.length > 0 && this.context?.state === "suspended";
  }

  // To be called from a click or a key: browsers let sound begin only then.
  unlock(rate) {
    this.#open(rate);
    return this.context.resume();
  }

  #open(rate) {
    if (this.context && this.rate === rate) return;
    this.stop();
    this.context?.close();
    const Context = window.AudioContext ?? window.webkitAudioContext;
    try {
      this.context = new Context({ sampleRate: rate, latencyHint: "interactive" });
    } catch {
      this.context = new Context(); // a rate this device cannot run at: the browser resamples
    }
    this.rate = rate;
    this.gain = this.context.createGain();
    this.gain.connect(this.context.destination);
    this.setVolume(this.volume);
    this.context.onstatechange = () => this.onChange();
  }

  setVolume(volume) {
    this.volume = volume;
    if (this.gain) this.gain.gain.value = volume * volume; // nearer to how loud it seems
  }

  // A clip that is still arriving: its chunks come through push, then end.
  begin(clip) {
    this.stop();
    this.#open(clip.rate);
    this.clip = clip;
    this.heard = 0;
    this.live = true;
  }

  push(samples) {
    const now = Math.ceil(this.context.currentTime * this.rate);
    if (this.cursor === null) {
      this.cursor = now + Math.round(this.lead * this.rate);
    } else if (this.cursor < now) {
      this.clip.gaps += 1;
      this.stats.underruns += 1;
      this.lead = Math.min(LEAD_MAX_S, this.lead * 2);
      this.cursor = now + Math.round(this.lead * this.rate);
    }
    this.#put(samples);
  }

  end() {
    this.live = false;
    if (!this.parts.length) this.onChange();
  }

  // A clip that has arrived, from a sample of it on.
  async play(clip, from = 0) {
    this.begin(clip);
    this.live = false;
    this.taken = from;
    this.heard = from;
    const samples = clip.samplesFrom(from);
    if (!samples.length) return;
    await this.context.resume();
    if (this.clip !== clip || this.parts.length) return; // another click came first
    this.cursor = Math.ceil((this.context.currentTime + 0.02) * this.rate);
    this.#put(samples);
  }

  #put(samples) {
    const source = schedule(this.context, this.gain, samples, this.rate, this.cursor);
    const part = { source, frame: this.cursor, first: this.taken, length: samples.length };
    source.onended = () => this.#ended(part);
    this.cursor += samples.length;
    this.taken += samples.length;
    this.stats.samplesPlayed += samples.length;
    this.parts.push(part);
    if (this.parts.length === 1) this.onChange();
  }

  #ended(part) {
    const index = this.parts.indexOf(part);
    if (index < 0) return; // it was stopped
    this.parts.splice(index, 1);
    this.heard = Math.max(this.heard, part.first + part.length);
    this.stats.samplesHeard += part.length;
    if (!this.parts.length) this.onChange();
  }

  pause() {
    return this.context?.suspend();
  }

  resume() {
    return this.context?.resume();
  }

  stop() {
    if (this.parts.length) {
      const until = this.context.currentTime + FADE_S;
      this.heard = this.position;
      this.gain.gain.setTargetAtTime(0, this.context.currentTime, FADE_S / 4);
      for (const { source } of this.parts) source.stop(until);
      // what follows goes through a gain of its own, so that the fade cannot touch it
      this.gain = this.context.createGain();
      this.gain.connect(this.context.destination);
      this.setVolume(this.volume);
    }
    const { heard, clip } = this;
    this.clear();
    Object.assign(this, { heard, clip }); // where the listener was stays to be seen
    this.onChange();
  }

  // The sample that sounds now.
  get position() {
    if (!this.parts.length) return this.heard;
    const late = this.context.outputLatency || 0;
    const now = (this.context.currentTime - late) * this.rate;
    let at = this.heard;
    for (const part of this.parts) {
      if (now < part.frame) break;
      at = part.first + Math.min(part.length, now - part.frame);
    }
    return Math.floor(at);
  }
}
