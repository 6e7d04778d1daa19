// The socket: opened again when it drops, after a wait that grows; left closed when that is no use.

const WAITS_S = [0.5, 1, 2, 4, 8, 15];

export class Wire {
  // hear: {opened(), closed(), state(name, waitS), message(object), audio(ArrayBuffer)}
  constructor(path, hear) {
    this.path = path;
    this.hear = hear;
    this.socket = null;
    this.attempts = 0;
    this.timer = null;
    this.rest = null; // why the next close is final: "idle" or "locked"
    addEventListener("online", () => this.timer && this.connect());
    addEventListener("pagehide", () => this.#leave());
    addEventListener("pageshow", (event) => event.persisted && this.connect());
  }

  get open() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = null;
    if (this.socket) return;
    this.rest = null;
    this.hear.state("connecting");
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.path}`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.hear.opened();
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") this.hear.audio(data);
      else this.#read(data);
    };
    socket.onclose = (event) => socket === this.socket && this.#closed(event);
    this.socket = socket;
  }

  #read(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return; // not of this protocol
    }
    if (message.type === "ready") this.attempts = 0;
    this.hear.message(message);
  }

  #closed(event) {
    this.socket = null;
    this.hear.closed(event);
    if (this.rest) return this.hear.state(this.rest);
    const longest = WAITS_S.length - 1;
    const waitS = WAITS_S[event.code === 1013 ? longest : Math.min(this.attempts, longest)];
    this.attempts += 1;
    this.hear.state("waiting", waitS);
    // spread out, so that the pages of a restarted server do not all come back at once
    this.timer = setTimeout(() => this.connect(), waitS * 1000 * (0.8 + 0.4 * Math.random()));
  }

  send(message) {
    if (this.open) this.socket.send(JSON.stringify(message));
  }

  // Closes without an error on either side and tries anew at once.
  restart() {
    this.#leave();
    this.hear.closed({ code: 1000 });
    this.attempts = 0;
    this.connect();
  }

  #leave() {
    const socket = this.socket;
    this.socket = null;
    clearTimeout(this.timer);
    socket?.close(1000);
  }
}
