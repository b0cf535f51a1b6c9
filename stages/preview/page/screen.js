// Draws pictures and measures how many, and how late.

const RATE_OVER_MS = 2_000;

export class Screen {
  #contexts;
  #stage;
  #newest = 0;
  #drawn = [];

  constructor(stage, fused, second) {
    this.#stage = stage;
    this.#contexts = [fused, second].map((canvas) => canvas.getContext("2d", { alpha: false }));
  }

  /** Decode a message and draw it; resolves to its header, or to null where a newer one was faster. */
  async show(message) {
    const number = ++this.#newest;
    const length = new DataView(message).getUint32(0);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(message, 4, length)));
    let start = 4 + length;
    const bitmaps = await Promise.all(header.views.map(([, size]) => {
      const jpeg = new Blob([new Uint8Array(message, start, size)], { type: "image/jpeg" });
      start += size;
      return createImageBitmap(jpeg);
    }));
    const overtaken = number < this.#newest && this.#drawn.at(-1)?.number > number;
    if (!overtaken) bitmaps.forEach((bitmap, place) => this.#draw(this.#contexts[place], bitmap));
    bitmaps.forEach((bitmap) => bitmap.close());
    if (overtaken) return null;
    this.#drawn.push({ number, at: performance.now() });
    return header;
  }

  /** Pictures a second. */
  get fps() {
    const since = performance.now() - RATE_OVER_MS;
    this.#drawn = this.#drawn.filter(({ at }) => at >= since);
    const { length } = this.#drawn;
    return length < 2 ? 0 : (1_000 * (length - 1)) / (this.#drawn.at(-1).at - this.#drawn[0].at);
  }

  #draw(context, bitmap) {
    const { canvas } = context;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
      this.#stage.style.setProperty("--aspect", bitmap.width / bitmap.height);
    }
    context.drawImage(bitmap, 0, 0);
  }
}
