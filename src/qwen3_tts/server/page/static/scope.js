// Draws a clip as bars that appear while it arrives, those already heard in the accent colour.

const BAR = 3; // widths in CSS pixels
const SPACE = 2;
const SPAN_S = 4; // a short clip does not fill the whole width until it is this long

export class Scope {
  constructor(canvas, player) {
    this.canvas = canvas;
    this.player = player;
    this.clip = null;
    this.pending = false;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(clip) {
    this.clip = clip;
    this.draw();
  }

  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.#paint();
    });
  }

  // The whole width in seconds: it grows in steps while sound arrives, and fits once all is there.
  get span() {
    if (!this.clip) return SPAN_S;
    const seconds = this.clip.seconds;
    if (this.clip.settled) return Math.max(seconds, 0.1);
    return SPAN_S * 2 ** Math.max(0, Math.ceil(Math.log2(seconds / SPAN_S)));
  }

  secondsAt(clientX) {
    const box = this.canvas.getBoundingClientRect();
    return Math.min(1, Math.max(0, (clientX - box.left) / box.width)) * this.span;
  }

  #paint() {
    const scale = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    const { color: heard, caretColor: rest } = getComputedStyle(this.canvas); // the sheet's, per theme
    const bars = Math.floor(width / (BAR + SPACE));
    const peaks = this.clip?.peaks ?? [];
    const perBar = (this.span * 200) / bars; // 200 peaks a second
    const position =
      this.clip && this.player.clip === this.clip ? this.player.position / this.clip.rate : 0;
    for (let bar = 0; bar < bars; bar++) {
      const from = Math.floor(bar * perBar);
      const loud =
        from < peaks.length
          ? loudest(peaks, from, Math.max(from + 1, Math.floor((bar + 1) * perBar)))
          : 0;
      const tall = from < peaks.length ? Math.max(BAR, loud ** 0.7 * (height - 12)) : 2;
      pen.globalAlpha = from < peaks.length ? 1 : 0.35;
      pen.fillStyle = from < peaks.length && from / 200 < position ? heard : rest;
      pen.beginPath();
      pen.roundRect(bar * (BAR + SPACE) + SPACE / 2, (height - tall) / 2, BAR, tall, BAR / 2);
      pen.fill();
    }
    pen.globalAlpha = 1;
    if (position > 0) {
      pen.fillStyle = heard;
      pen.fillRect(Math.min(width - 2, (position / this.span) * width), 4, 2, height - 8);
    }
  }
}

function loudest(peaks, from, to) {
  let most = 0;
  for (let i = from; i < to && i < peaks.length; i++) if (peaks[i] > most) most = peaks[i];
  return most;
}
