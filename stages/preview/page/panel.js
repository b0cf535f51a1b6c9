// Figures beside the picture.

const NAMES = { under: "Under", over: "Over", fused: "Fused" };
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

/** Set the text, if it is another: what did not change is not laid out again, nor read out. */
export function say(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

export function showPace(fps, shownFps, fusedLatency, screenLatency) {
  say("fps", number(fps, 1));
  say("shown-fps", number(shownFps, 1));
  say("fused-latency", number(fusedLatency, 0));
  say("screen-latency", number(screenLatency, 0));
}

/** Exposures as the camera reports them, else as they were asked for. */
export function showExposures(reported, bracket, ratio) {
  const asked = bracket && { under: bracket.under, over: bracket.over };
  ["under", "over"].forEach((name, place) => {
    const exposure = reported?.[place] ?? asked?.[name];
    say(`${name}-time`, exposure ? shutter(exposure.time_us) : "–");
    say(`${name}-gain`, exposure ? `gain ${exposure.gain.toFixed(1)}` : "not reported");
  });
  say("ratio", number(ratio, 1));
}

export function showHistograms(histograms) {
  byId("histogram-hint").hidden = true;
  for (const [view, { bins, black, white }] of Object.entries(histograms)) {
    const track = byId(`histogram-${view}`) ?? makeTrack(view);
    // Roots, for a large dark area would press everything else to the ground.
    const heights = bins.map(Math.sqrt);
    const top = Math.max(...heights.slice(1, -1), 0.05);
    const points = heights.map((height, bin) => `V${(100 - Math.min(height / top, 1) * 96).toFixed(1)}H${bin + 1}`);
    track.querySelector("path").setAttribute("d", `M0 100${points.join("")}V100Z`);
    track.querySelector("p").textContent = `${percent(black)} black, ${percent(white)} white`;
  }
}

export function showPipeline(pipeline) {
  const { captured, frames } = pipeline ?? {};
  byId("frames").hidden = captured === undefined && frames === undefined;
  byId("stages").hidden = !pipeline?.stages;
  if (captured !== undefined) showAccount(pipeline);
  else if (frames !== undefined) showReception(pipeline);
  if (pipeline?.stages) showStages(pipeline.stages);
}

/** Of a pipeline: what became of the frames it captured. */
function showAccount(pipeline) {
  const dropped = Object.entries(pipeline.dropped ?? {}).flatMap(([stage, reasons]) =>
    Object.entries(reasons).map(([reason, count]) => ({ stage, reason, count })));
  const failed = Object.entries(pipeline.failed_reasons ?? {}).map(([reason, count]) => ({ stage: "failed", reason, count }));
  const total = dropped.reduce((sum, { count }) => sum + count, 0);
  const share = pipeline.captured ? ` (${percent(total / pipeline.captured)})` : "";
  say("sum", `${whole(pipeline.fused)} of ${whole(pipeline.captured)} fused, ${total ? whole(total) + share : "none"} dropped`);
  fill("drop-rows", [...dropped, ...failed], ({ stage, reason, count }) => {
    const row = element("tr", stage === "failed" ? "failed" : "");
    const words = element("td");
    words.append(element("small", "", `${stage} `), reason);
    row.append(words, element("td", "", whole(count)));
    return row;
  });
  byId("drops").hidden = !dropped.length && !failed.length;
}

/** Of a subscriber: what it received of what was published. */
function showReception(reception) {
  const troubles = ["lost", "skipped", "malformed"].filter((name) => reception[name]);
  const words = [`${whole(reception.frames)} received`, ...troubles.map((name) => `${whole(reception[name])} ${name}`)];
  say("sum", words.join(", "));
}

function showStages(reports) {
  const stages = Object.entries(reports).map(([name, { latency }]) => ({ name, ms: latency.p50_ms }));
  const longest = Math.max(...stages.map(({ ms }) => ms), 1);
  fill("stage-rows", stages, ({ name, ms }) => {
    const row = element("li");
    const bar = element("meter");
    Object.assign(bar, { max: longest, value: ms, ariaLabel: name });
    row.append(element("span", "", name), element("span", "", `${number(ms, ms < 10 ? 1 : 0)} ms`), bar);
    return row;
  });
}

function makeTrack(view) {
  const track = element("div", `track ${view}`);
  track.id = `histogram-${view}`;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 64 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "path"));
  track.append(element("h3", "", NAMES[view]), element("p"), svg);
  byId("histograms").append(track);
  return track;
}

function fill(id, items, make) {
  const parent = byId(id);
  const seen = JSON.stringify(items);
  if (parent.dataset.seen === seen) return;
  parent.dataset.seen = seen;
  parent.replaceChildren(...items.map(make));
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function number(value, digits) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

function whole(value) {
  return value.toLocaleString("en");
}

function percent(share) {
  return `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;
}

function shutter(us) {
  if (us >= 400_000) return `${(us / 1e6).toFixed(1)} s`;
  return `1/${whole(Math.round(1e6 / us))} s`;
}
