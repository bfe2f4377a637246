// Live numbers and charts: one stream of seconds from the server feeds every figure of a page.
// A figure says which fields it draws; it must not know what they mean.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const SPAN_S = 300, LEFT = 46, BOTTOM = 20, TOP = 8;

const FORMATS = {
  rate: (v) => digits(v),
  count: (v) => digits(v),
  ms: (v) => (v === 0 ? "0" : v < 1 ? `${digits(v * 1000)} µs` : v < 1000 ? `${digits(v)} ms` : `${digits(v / 1000)} s`),
};

function digits(value) {
  if (value === null || Number.isNaN(value)) return "–";
  if (value >= 10000) return `${(value / 1000).toFixed(1)}k`;
  return value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toPrecision(value >= 10 ? 3 : 2);
}

function node(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
}

function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value * 1.02) ?? 10 * power;
}

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.series = JSON.parse(figure.dataset.series);
    this.format = FORMATS[figure.dataset.unit];
    this.svg = figure.querySelector("svg");
    this.legend = figure.querySelector(".legend");
    this.at = null;
    this.seconds = [];
    this.values = this.series.map(({ title }, i) => this.key(title, i + 1));
    new ResizeObserver(() => this.draw()).observe(this.svg);
    this.svg.addEventListener("pointermove", (event) => this.point((event.offsetX - LEFT) / (this.svg.clientWidth - LEFT)));
    this.svg.addEventListener("pointerleave", () => this.point(null));
    this.svg.addEventListener("blur", () => this.point(null));
    this.svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -5, ArrowRight: 5, Home: -SPAN_S, End: SPAN_S }[event.key];
      if (!step) return;
      event.preventDefault();
      this.point(Math.min(1, Math.max(0, ((this.at ?? SPAN_S) + step) / SPAN_S)));
    });
  }

  key(title, number) {
    const span = document.createElement("span"), mark = document.createElement("i"), value = document.createElement("b");
    mark.className = `k${number}`;
    value.textContent = "–";
    span.append(mark, `${title} `, value);
    this.legend.append(span);
    return value;
  }

  point(share) {
    this.at = share === null || share < 0 ? null : Math.round(share * SPAN_S);
    this.draw();
  }

  show(seconds) {
    this.seconds = seconds;
    this.draw();
  }

  draw() {
    const width = this.svg.clientWidth, height = this.svg.clientHeight;
    if (!width || !this.seconds.length) return;
    const plot = { left: LEFT, right: width - 1, top: TOP, bottom: height - BOTTOM };
    const last = this.seconds.at(-1).at, begin = last - SPAN_S;
    const fields = this.series.map(({ field }) => field);
    const top = niceCeiling(Math.max(...this.seconds.flatMap((s) => fields.map((f) => s[f] ?? 0))));
    const x = (at) => plot.left + ((at - begin) / SPAN_S) * (plot.right - plot.left);
    const y = (value) => plot.bottom - (value / top) * (plot.bottom - plot.top);
    const fresh = document.createElementNS(SVG, "g");
    for (const share of [0, 0.5, 1]) {
      node("line", { class: "grid-line", x1: plot.left, x2: plot.right, y1: y(top * share), y2: y(top * share) }, fresh);
      node("text", { class: "axis", x: plot.left - 6, y: y(top * share) + 4, "text-anchor": "end" }, fresh).textContent = this.format(top * share);
    }
    for (const [ago, text, anchor] of [[SPAN_S, "5 min ago", "start"], [SPAN_S / 2, "2:30", "middle"], [0, "now", "end"]])
      node("text", { class: "axis", x: x(last - ago), y: height - 4, "text-anchor": anchor }, fresh).textContent = text;
    fields.forEach((field, i) => this.line(fresh, field, i + 1, x, y, plot.bottom));
    const shown = this.at === null ? this.seconds.at(-1) : this.seconds.find((s) => s.at === begin + this.at);
    if (this.at !== null) node("line", { class: "cross", x1: x(begin + this.at), x2: x(begin + this.at), y1: plot.top, y2: plot.bottom }, fresh);
    this.svg.replaceChildren(fresh);
    this.values.forEach((value, i) => { value.textContent = shown?.[fields[i]] == null ? "–" : this.format(shown[fields[i]]); });
  }

  line(group, field, number, x, y, bottom) {
    let path = "", area = "", open = null;
    const close = () => {
      if (open && open[0] === open[1]) node("circle", { class: `dot k${number}`, cx: open[0], cy: open[2], r: 2.5 }, group);
      if (open) area += ` L${open[1]} ${bottom} L${open[0]} ${bottom} Z`;
      open = null;
    };
    for (const second of this.seconds) {
      const value = second[field];
      if (value == null) { close(); continue; }
      const place = `${x(second.at).toFixed(1)} ${y(value).toFixed(1)}`;
      path += `${open ? " L" : " M"}${place}`;
      area += `${open ? " L" : " M"}${place}`;
      open = [open?.[0] ?? x(second.at).toFixed(1), x(second.at).toFixed(1), y(value).toFixed(1)];
    }
    close();
    if (number === 1) node("path", { class: `area k${number}`, d: area || "M0 0" }, group);
    node("path", { class: `line k${number}`, d: path || "M0 0" }, group);
  }
}

function spark(svg, values) {
  const top = Math.max(1e-9, ...values), step = 96 / Math.max(1, values.length - 1);
  svg.classList.toggle("still", !values.some((value) => value > 0));
  svg.querySelector("path").setAttribute("d", "M" + values.map((v, i) => `${(i * step).toFixed(1)} ${(24 - (v / top) * 22).toFixed(1)}`).join(" L"));
}

class Live {
  constructor(element) {
    this.charts = [...document.querySelectorAll("figure[data-series]")].map((figure) => new Chart(figure));
    this.seconds = [];
    this.source = new EventSource(element.dataset.live);
    this.source.addEventListener("past", (event) => { this.seconds = JSON.parse(event.data); this.charts.forEach((c) => c.show(this.seconds)); });
    this.source.addEventListener("now", (event) => this.take(JSON.parse(event.data)));
  }

  take({ second, tiles, rows }) {
    this.seconds = [...this.seconds.filter((s) => s.at !== second.at && s.at > second.at - SPAN_S - 1), second];
    this.charts.forEach((chart) => chart.show(this.seconds));
    for (const [name, text] of Object.entries(tiles))
      for (const element of document.querySelectorAll(`[data-tile="${name}"]`)) element.textContent = text;
    for (const [name, row] of Object.entries(rows)) {
      const line = document.querySelector(`[data-row="${CSS.escape(name)}"]`);
      if (!line) continue;
      for (const [field, text] of Object.entries(row.texts)) {
        const cell = line.querySelector(`[data-field="${field}"]`);
        if (cell) cell.textContent = text;
      }
      const drawn = line.querySelector(".spark");
      if (drawn) spark(drawn, row.spark);
    }
  }
}

const watched = document.querySelector("[data-live]");
if (watched) {
  const live = new Live(watched);
  addEventListener("pagehide", () => live.source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}
