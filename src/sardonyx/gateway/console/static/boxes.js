// Boxes on a picture, drawn with the mouse, a finger or keys; each change is sent at once.
// Boxes are [left, top, right, bottom] as shares of the picture's sides.
"use strict";

const LEAST = 0.004, STEP = 0.01, FINE = 0.001, NEAR_PIXELS = 9, WAIT_MILLISECONDS = 150;
const within = (value, low, high) => Math.min(Math.max(value, low), high);

class Drawing {
  constructor(svg) {
    this.svg = svg;
    this.group = svg.querySelector("[data-drawn]");
    this.labels = JSON.parse(svg.dataset.labels);
    this.marks = JSON.parse(svg.dataset.boxes);
    this.list = document.querySelector("[data-list]");
    this.said = document.querySelector("[data-said]");
    this.choices = [...document.querySelectorAll("[data-label]")];
    this.chosen = -1;
    this.label = sessionStorage.getItem("label");
    if (!this.labels.includes(this.label)) this.label = this.labels[0];
    for (const choice of this.choices) choice.addEventListener("click", () => this.name(choice.dataset.label));
    svg.addEventListener("pointerdown", (event) => this.press(event));
    svg.addEventListener("pointermove", (event) => this.drag(event));
    svg.addEventListener("pointerup", (event) => this.release(event));
    svg.addEventListener("pointercancel", (event) => this.release(event));
    addEventListener("keydown", (event) => this.key(event), true);
    addEventListener("pagehide", () => this.send());
    document.querySelector("[data-nothing]").addEventListener("submit", (event) => {
      if (!this.marks.length) return;
      event.preventDefault();
      this.tell("Take the boxes away first.");
    }, true);
    this.show();
  }

  at(event) {
    const { left, top, width, height } = this.svg.getBoundingClientRect();
    return [within((event.clientX - left) / width, 0, 1), within((event.clientY - top) / height, 0, 1)];
  }

  // Which edges of a box a point is on: -1 the left or upper one, 1 the right or lower one, 0 none.
  edges([x, y], [left, top, right, bottom]) {
    const { width, height } = this.svg.getBoundingClientRect();
    const side = (value, low, high, length) => {
      const near = NEAR_PIXELS / length;
      if (Math.abs(value - high) <= near) return 1;
      return Math.abs(value - low) <= near ? -1 : 0;
    };
    const inside = x >= left - NEAR_PIXELS / width && x <= right + NEAR_PIXELS / width && y >= top - NEAR_PIXELS / height && y <= bottom + NEAR_PIXELS / height;
    return inside ? [side(x, left, right, width), side(y, top, bottom, height)] : null;
  }

  press(event) {
    if (event.button || !this.label) { this.tell("Add labels on the page of the collection first."); return; }
    const point = this.at(event);
    this.svg.setPointerCapture(event.pointerId);
    event.preventDefault();
    this.svg.focus({ preventScroll: true });
    const mark = this.marks[this.chosen], edges = mark && !event.shiftKey ? this.edges(point, mark.box) : null;
    if (edges) {
      this.held = { point, box: [...mark.box], edges };
      return;
    }
    const hit = event.shiftKey ? -1 : this.under(point);
    if (hit >= 0) {
      this.choose(hit);
      this.held = { point, box: [...this.marks[hit].box], edges: [0, 0] };
      return;
    }
    this.choose(-1);
    this.held = { point, edges: null };
  }

  under([x, y]) {
    let best = -1, least = Infinity;
    this.marks.forEach(({ box: [left, top, right, bottom] }, at) => {
      const area = (right - left) * (bottom - top);
      if (x >= left && x <= right && y >= top && y <= bottom && area < least) [best, least] = [at, area];
    });
    return best;
  }

  drag(event) {
    if (!this.held) return;
    const [x, y] = this.at(event), { point, box, edges } = this.held;
    if (!edges) {
      const drawn = [Math.min(x, point[0]), Math.min(y, point[1]), Math.max(x, point[0]), Math.max(y, point[1])];
      if (this.chosen < 0) {
        if (drawn[2] - drawn[0] < LEAST || drawn[3] - drawn[1] < LEAST) return;
        this.marks.push({ label: this.label, box: drawn });
        this.choose(this.marks.length - 1);
      }
      this.marks[this.chosen].box = drawn;
    } else this.marks[this.chosen].box = this.moved(box, edges, x - point[0], y - point[1]);
    this.held.changed = true;
    this.show();
  }

  // A box whose held edges are moved, or all of it if none is held; it stays on the picture and turns over.
  moved([left, top, right, bottom], [across, down], x, y) {
    if (!across && !down) {
      x = within(x, -left, 1 - right);
      y = within(y, -top, 1 - bottom);
      return [left + x, top + y, right + x, bottom + y];
    }
    const one = (low, high, edge, by) => {
      if (edge < 0) low = within(low + by, 0, 1);
      if (edge > 0) high = within(high + by, 0, 1);
      return low < high ? [low, Math.max(high, low + LEAST)] : [high, Math.max(low, high + LEAST)];
    };
    const [l, r] = one(left, right, across, x), [t, b] = one(top, bottom, down, y);
    return [l, t, Math.min(r, 1), Math.min(b, 1)];
  }

  release() {
    if (this.held?.changed) this.later();
    this.held = null;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea")) return;
    const mark = this.marks[this.chosen], by = event.altKey ? FINE : STEP;
    const arrows = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "n" && this.label) {
      this.marks.push({ label: this.label, box: [0.4, 0.4, 0.6, 0.6] });
      this.choose(this.marks.length - 1);
      this.later();
    } else if (key === "b" && this.marks.length) this.choose((this.chosen + (event.shiftKey ? this.marks.length - 1 : 1)) % this.marks.length);
    else if (key === "Escape" && mark) this.choose(-1);
    else if ((key === "Delete" || key === "Backspace") && mark) this.drop(this.chosen);
    else if (arrows[key] && mark) {
      const [left, top, right, bottom] = mark.box, [x, y] = arrows[key];
      mark.box = event.shiftKey
        ? [left, top, within(right + x, left + LEAST, 1), within(bottom + y, top + LEAST, 1)]
        : this.moved(mark.box, [0, 0], x, y);
      this.show();
      this.later();
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  name(label) {
    this.label = label;
    sessionStorage.setItem("label", label);
    const mark = this.marks[this.chosen];
    if (mark && mark.label !== label) { mark.label = label; this.later(); }
    this.show();
  }

  choose(at) {
    this.chosen = at;
    if (at >= 0) this.label = this.marks[at].label;
    this.show();
  }

  drop(at) {
    this.marks.splice(at, 1);
    this.choose(-1);
    this.later();
  }

  show() {
    const shape = (name, facts) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(facts)) made.setAttribute(key, value);
      return made;
    };
    this.group.replaceChildren(...this.marks.map(({ label, box: [x, y, right, bottom] }, at) =>
      shape("rect", { x, y, width: right - x, height: bottom - y, class: `drawn k${this.labels.indexOf(label) % 6 + 1}${at === this.chosen ? " chosen" : ""}` })));
    for (const choice of this.choices) choice.setAttribute("aria-pressed", String(choice.dataset.label === this.label));
    this.list.replaceChildren(...this.marks.map((mark, at) => this.row(mark, at)));
  }

  row({ label, box }, at) {
    const row = document.createElement("li"), name = document.createElement("button"), gone = document.createElement("button");
    const [left, top, right, bottom] = box.map((side) => Math.round(side * 100));
    name.type = gone.type = "button";
    name.className = "button small grow";
    name.textContent = `${label} ${right - left} × ${bottom - top} % at ${left}, ${top}`;
    name.setAttribute("aria-pressed", String(at === this.chosen));
    name.addEventListener("click", () => { this.choose(at); this.svg.focus({ preventScroll: true }); });
    gone.className = "button small";
    gone.textContent = "Remove";
    gone.setAttribute("aria-label", `Remove box ${at + 1}, ${label}`);
    gone.addEventListener("click", () => this.drop(at));
    row.append(name, gone);
    return row;
  }

  later() {
    this.waiting ??= setTimeout(() => this.send(), WAIT_MILLISECONDS);
  }

  async send() {
    if (!this.waiting) return;
    clearTimeout(this.waiting);
    this.waiting = null;
    const data = new FormData();
    data.append("forgery_token", this.svg.dataset.token);
    data.append("marks", JSON.stringify(this.marks));
    try {
      const response = await fetch(this.svg.dataset.act, { method: "POST", body: data, headers: { "x-fragment": "1" }, keepalive: true });
      this.tell(response.ok ? `${this.marks.length} kept` : `Not kept: ${await response.text()}`);
    } catch (error) {
      this.tell(`Not kept, the server did not answer: ${error.message}`);
    }
  }

  tell(text) { this.said.textContent = text; }
}

const drawing = document.querySelector("svg[data-boxes]");
if (drawing) new Drawing(drawing);
