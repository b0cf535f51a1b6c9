// The WebSocket: pictures and figures in, wishes out; comes back by itself.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const SILENCE_MS = 6_000; // the server says something twice a second
const PING_INTERVAL_MS = 2_000;
const FIRST_PINGS_INTERVAL_MS = 150;
const PINGS_KEPT = 8;
const PINGS_NEEDED = 4; // the first are late: the page is still busy with itself

export class Connection extends EventTarget {
  #socket = null;
  #look = { views: [], histograms: false };
  #pause = FIRST_PAUSE_MS;
  #timer = 0;
  #heard = 0;
  #pings = [];
  #nextPing = 0;

  constructor() {
    super();
    setInterval(() => this.#watch(), 1_000);
    window.addEventListener("online", () => this.open());
    document.addEventListener("visibilitychange", () => this.#tellLook());
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connect now, unless that is done or under way. */
  open() {
    clearTimeout(this.#timer);
    if (this.#socket && this.#socket.readyState <= WebSocket.OPEN) return;
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#heard = performance.now();
    socket.onopen = () => {
      this.#pings = [];
      this.#emit("open");
      this.#tellLook();
      this.#ping();
    };
    socket.onmessage = ({ data }) => {
      this.#heard = performance.now();
      if (typeof data !== "string") {
        this.#pause = FIRST_PAUSE_MS;
        return this.#emit("picture", data);
      }
      const message = JSON.parse(data);
      if (message.type === "pong") this.#pong(message);
      else this.#emit(message.type, message);
    };
    socket.onclose = () => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      const wait = this.#pause * (0.75 + Math.random() / 2); // pages must not all come back at once
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
      this.#timer = setTimeout(() => this.open(), wait);
      this.#emit("lost", wait);
    };
  }

  /** What to send; nothing is sent to a page that is out of sight. */
  look(look) {
    this.#look = look;
    this.#tellLook();
  }

  /** A picture has been drawn: the next may come. */
  drawn() {
    this.#send({ type: "drawn" });
  }

  /** The server's clock, in milliseconds since 1970; null before it is known. */
  serverNow() {
    if (this.#pings.length < PINGS_NEEDED) return null;
    const best = this.#pings.reduce((a, b) => (a.trip <= b.trip ? a : b));
    return performance.now() + best.offset;
  }

  #tellLook() {
    const look = document.hidden ? { views: [], histograms: false } : this.#look;
    this.#send({ type: "look", ...look });
  }

  #ping() {
    clearTimeout(this.#nextPing); // of a connection before this one
    this.#send({ type: "ping", sent_ms: performance.now() });
  }

  #pong({ sent_ms, server_ms }) {
    const trip = performance.now() - sent_ms;
    this.#pings.push({ trip, offset: server_ms - sent_ms - trip / 2 });
    if (this.#pings.length > PINGS_KEPT) this.#pings.shift();
    const interval = this.#pings.length < PINGS_KEPT ? FIRST_PINGS_INTERVAL_MS : PING_INTERVAL_MS;
    this.#nextPing = setTimeout(() => this.#ping(), interval);
  }

  #send(message) {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
  }

  #watch() {
    // A machine that went away without a word leaves a socket that looks open.
    if (!this.#socket || document.hidden || performance.now() - this.#heard < SILENCE_MS) return;
    const { onclose } = this.#socket;
    this.#socket.close();
    onclose();
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
