// The controls of the two exposures.

const TYPING_MS = 1_500; // after a change here, what others changed does not move the controls

const byId = (id) => document.getElementById(id);

export class Bracket {
  #touched = -Infinity;
  #refusal = "";
  #timer = 0;

  constructor() {
    const form = byId("bracket-form");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      this.#touched = performance.now();
      this.#label();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#request(), 150); // a slider is dragged over many values
    });
  }

  /** What the controller says of itself; null where there is none. */
  show(state) {
    byId("bracket").hidden = !state;
    if (!state) return;
    if (performance.now() - this.#touched > TYPING_MS) {
      const { auto, stops, bias_stops } = state.settings;
      byId("auto").checked = auto;
      byId("any-stops").checked = stops === null;
      if (stops !== null) byId("stops").value = stops;
      byId("bias").value = bias_stops;
      this.#label();
    }
    this.#answer(state);
  }

  /** The connection is back: what could not be sent is no longer asked for. */
  reconnected() {
    this.#refusal = "";
  }

  #answer({ settled, control_delay_frames: delay, note, settings }) {
    const rest = settings.auto ? "Both exposures suit the scene." : "Holding both exposures.";
    const words = [note || (settled ? rest : "Adjusting.")];
    if (delay !== null) words.push(`The camera answers after ${delay} ${delay === 1 ? "frame" : "frames"}.`);
    const answer = byId("answer");
    const text = this.#refusal || words.join(" ");
    answer.classList.toggle("refused", Boolean(this.#refusal));
    if (answer.textContent !== text) answer.textContent = text;
  }

  #tellRefusal() {
    this.#answer({ note: "", settings: {}, control_delay_frames: null });
  }

  #label() {
    const any = byId("any-stops").checked;
    byId("stops").disabled = any;
    byId("stops-value").textContent = any ? "auto" : `${Number(byId("stops").value).toFixed(2)} stops`;
    const bias = Number(byId("bias").value);
    byId("bias-value").textContent = `${bias > 0 ? "+" : bias < 0 ? "−" : ""}${Math.abs(bias).toFixed(2)} stops`;
  }

  async #request() {
    const wanted = {
      auto: byId("auto").checked,
      stops: byId("any-stops").checked ? null : Number(byId("stops").value),
      bias_stops: Number(byId("bias").value),
    };
    try {
      const response = await fetch("bracket", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(wanted),
      });
      const answer = await response.json();
      this.#refusal = answer.error ? `Refused: ${answer.error}` : "";
      if (answer.error) this.#tellRefusal();
      else this.show(answer);
    } catch {
      this.#refusal = "Not sent: the connection is lost.";
      this.#tellRefusal();
    }
  }
}
