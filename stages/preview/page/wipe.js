// The divider between the fused picture and the one it is compared with.

const STEP = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10 };

export class Wipe {
  #frame;
  #area;
  #handle;

  constructor(frame, area, handle) {
    this.#frame = frame;
    this.#area = area;
    this.#handle = handle;
    area.addEventListener("pointerdown", (event) => {
      area.setPointerCapture(event.pointerId);
      this.#follow(event);
      handle.focus({ preventScroll: true });
    });
    area.addEventListener("pointermove", (event) => {
      if (area.hasPointerCapture(event.pointerId)) this.#follow(event);
    });
    handle.addEventListener("keydown", (event) => {
      const target = { Home: 0, End: 100 }[event.key] ?? this.position + STEP[event.key];
      if (Number.isNaN(target)) return;
      event.preventDefault();
      this.position = target;
    });
  }

  /** Per cent of the width that shows the fused picture. */
  get position() {
    return Number(this.#handle.getAttribute("aria-valuenow"));
  }

  set position(percent) {
    const position = Math.round(Math.min(Math.max(percent, 0), 100) * 10) / 10;
    this.#handle.setAttribute("aria-valuenow", position);
    this.#handle.setAttribute("aria-valuetext", `${Math.round(position)} % fused`);
    this.#frame.style.setProperty("--cut", `${position}%`);
  }

  #follow(event) {
    const { left, width } = this.#area.getBoundingClientRect();
    this.position = (100 * (event.clientX - left)) / width;
  }
}
