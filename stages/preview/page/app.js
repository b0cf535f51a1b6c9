import { Bracket } from "./bracket.js";
import { Connection } from "./connection.js";
import { say, showExposures, showHistograms, showPace, showPipeline } from "./panel.js";
import { Screen } from "./screen.js";
import { Wipe } from "./wipe.js";

const STALLED_S = 3;
const LATENCIES_KEPT = 60;
const NAMES = { under: "Under", over: "Over", single: "Single exposure" };

const byId = (id) => document.getElementById(id);
const connection = new Connection();
const screen = new Screen(byId("stage"), byId("fused"), byId("second"));
const wipe = new Wipe(byId("frame"), byId("wipe"), byId("handle"));
const bracket = new Bracket();

let compared = "";
let histogramsSeen = false;
let header = null; // of the picture on the screen
let figures = null;
let latencies = { fused: [], screen: [] };
let nextTry = 0;

function look() {
  connection.look({ views: compared ? ["fused", compared] : ["fused"], histograms: histogramsSeen });
}

function compare(view) {
  compared = view;
  byId("wipe").hidden = !view;
  byId("second").hidden = true; // until it has been drawn
  if (view) {
    say("right-tag", NAMES[view]);
    byId("right-tag").dataset.view = view;
    byId("second").setAttribute("aria-label", NAMES[view]);
  }
  document.querySelector(`[name="compare"][value="${view}"]`).checked = true;
  look();
}

function offer(views) {
  for (const input of document.querySelectorAll('[name="compare"]')) {
    input.disabled = Boolean(input.value) && !views.includes(input.value);
    input.parentElement.title = input.disabled ? "This stream does not carry it" : "";
  }
  if (compared && !views.includes(compared)) compare("");
}

async function draw(message) {
  let shown = null;
  try {
    shown = await screen.show(message);
  } finally {
    connection.drawn();
  }
  if (!shown) return;
  if (String(shown.offered) !== String(header?.offered)) offer(shown.offered);
  header = shown;
  byId("second").hidden = !compared || !shown.views.some(([view]) => view === compared);
  if (shown.histograms) showHistograms(shown.histograms);
  if (shown.captured_ms === null) return;
  keep(latencies.fused, shown.fused_ms - shown.captured_ms);
  requestAnimationFrame(() => {
    const now = connection.serverNow();
    if (now !== null) keep(latencies.screen, now - shown.captured_ms);
  });
}

function keep(values, value) {
  values.push(value);
  if (values.length > LATENCIES_KEPT) values.shift();
}

function median(values) {
  return values.length ? values.toSorted((a, b) => a - b)[values.length >> 1] : null;
}

/** One state at a time: what the pill says, and what lies over the picture. */
function tellState() {
  const age = figures?.picture_age_s ?? null;
  let state = "live", pill = "Live", title = "", text = "";
  if (!connection.isOpen) {
    state = nextTry ? "lost" : "connecting";
    pill = title = nextTry ? "Connection lost" : "Connecting";
    const wait = Math.ceil((nextTry - performance.now()) / 1_000);
    text = !nextTry ? "" : wait > 0 ? `Trying again in ${wait} s.` : "Trying again.";
  } else if (age === null || !header) {
    state = "waiting";
    pill = "Waiting";
    title = "Waiting for the first picture";
    text = "The pipeline is running and has not fused a frame yet.";
  } else if (age > STALLED_S) {
    state = "stalled";
    pill = "Stalled";
    title = `No picture for ${Math.floor(age)} s`;
    text = "Nothing has been fused since. This page goes on by itself.";
  }
  byId("state").dataset.state = state;
  say("state", pill);
  byId("notice").hidden = !title;
  say("notice-title", title);
  say("notice-text", text);
  byId("retry").hidden = state !== "lost";
  byId("frame").classList.toggle("dim", Boolean(title));
  byId("frame").hidden = !header;
  byId("snapshot").setAttribute("aria-disabled", String(!connection.isOpen || age === null));
}

function tellFigures() {
  if (!figures) return;
  const { size, bit_depth, pipeline } = figures;
  const words = [pipeline?.input, size && `${size[0]} × ${size[1]}`, size && `${bit_depth} bit`];
  say("source", words.filter(Boolean).join(", "));
  const live = connection.isOpen;
  showPace(live ? figures.fps : null, live ? screen.fps : null, median(latencies.fused), median(latencies.screen));
  showExposures(header?.exposures, figures.bracket, header?.ratio_stops);
  showPipeline(pipeline);
  bracket.show(figures.bracket);
}

connection.addEventListener("open", () => {
  latencies = { fused: [], screen: [] };
  nextTry = 0;
  bracket.reconnected();
  tellState();
});
connection.addEventListener("lost", ({ detail: wait }) => {
  nextTry = performance.now() + wait;
  figures = figures && { ...figures, picture_age_s: null };
  tellState();
});
connection.addEventListener("picture", ({ detail }) => draw(detail));
connection.addEventListener("figures", ({ detail }) => {
  figures = detail;
  tellFigures();
  tellState();
});
setInterval(tellState, 500);

byId("compare").addEventListener("change", ({ target }) => compare(target.value));
byId("snapshot").addEventListener("click", (event) => {
  if (event.currentTarget.getAttribute("aria-disabled") === "true") event.preventDefault();
});
byId("retry").addEventListener("click", () => connection.open());

const viewer = byId("viewer");
const fullscreen = byId("fullscreen");
fullscreen.hidden = !document.fullscreenEnabled; // a phone may have none
fullscreen.addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else viewer.requestFullscreen();
});
document.addEventListener("fullscreenchange", () => {
  fullscreen.lastElementChild.textContent = document.fullscreenElement ? "Leave full screen" : "Full screen";
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key === "f" && !fullscreen.hidden) fullscreen.click();
  if (event.key === "s") byId("snapshot").click();
});

new IntersectionObserver(([entry]) => {
  histogramsSeen = entry.isIntersecting;
  look();
}).observe(byId("histograms"));

compare("");
wipe.position = 50;
tellState();
connection.open();
