// Asking a model: pictures are decoded and scaled here and leave as plain pixels; the answer takes its place.
// Without it the form still takes numbers and texts.
"use strict";

const FREE_SIDE = 640, GRAIN = 32;

function sides(zone, image) {
  const { width, height } = zone.dataset;
  const scale = Math.min(1, FREE_SIDE / Math.max(image.width, image.height));
  const free = (size) => Math.max(GRAIN, Math.round((size * scale) / GRAIN) * GRAIN);
  return [Number(width) || free(image.width), Number(height) || free(image.height)];
}

class Picture {
  constructor(zone) {
    this.zone = zone;
    this.canvas = zone.querySelector("canvas");
    this.hint = zone.querySelector("[data-hint]");
    this.image = null;
    const box = zone.querySelector(".drop-zone");
    zone.querySelector("input[type=file]").addEventListener("change", (event) => this.take(event.target.files[0]));
    zone.querySelector("[data-fit]").addEventListener("change", () => this.draw());
    box.addEventListener("dragover", (event) => { event.preventDefault(); box.classList.add("over"); });
    box.addEventListener("dragleave", () => box.classList.remove("over"));
    box.addEventListener("drop", (event) => { event.preventDefault(); box.classList.remove("over"); this.take(event.dataTransfer.files[0]); });
  }

  async take(file) {
    if (!file) return;
    try {
      this.image = await createImageBitmap(file, { imageOrientation: "from-image" });
    } catch {
      this.hint.textContent = `${file.name} is not a picture that this browser can read.`;
      return;
    }
    this.zone.querySelector(".icon").hidden = true;
    this.draw();
    this.hint.textContent = `${file.name} · ${this.image.width} × ${this.image.height}, asked as ${this.canvas.width} × ${this.canvas.height}`;
  }

  draw() {
    if (!this.image) return;
    const [width, height] = sides(this.zone, this.image), fit = this.zone.querySelector("[data-fit]").value;
    Object.assign(this.canvas, { width, height, hidden: false });
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.fillStyle = "rgb(114 114 114)";
    context.fillRect(0, 0, width, height);
    const across = width / this.image.width, down = height / this.image.height;
    const scale = fit === "cover" ? Math.max(across, down) : Math.min(across, down);
    const w = fit === "stretch" ? width : this.image.width * scale, h = fit === "stretch" ? height : this.image.height * scale;
    context.drawImage(this.image, (width - w) / 2, (height - h) / 2, w, h);
  }

  pixels() {
    const { width, height } = this.canvas;
    const rgba = this.canvas.getContext("2d").getImageData(0, 0, width, height).data, rgb = new Uint8Array(width * height * 3);
    for (let from = 0, to = 0; to < rgb.length; from += 4) {
      rgb[to++] = rgba[from]; rgb[to++] = rgba[from + 1]; rgb[to++] = rgba[from + 2];
    }
    return rgb;
  }
}

class Ask {
  constructor(form) {
    this.form = form;
    this.answer = document.getElementById("answer");
    this.button = form.querySelector("button.main-act");
    this.pictures = new Map([...form.querySelectorAll("[data-picture]")].map((zone) => [zone.dataset.picture, new Picture(zone)]));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
    addEventListener("paste", (event) => {
      const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
      if (file) [...this.pictures.values()][0]?.take(file);
    });
  }

  body() {
    const data = new FormData(this.form);
    for (const [name, picture] of this.pictures) {
      if (!picture.image) continue;
      data.set(`size.${name}`, `${picture.canvas.width}x${picture.canvas.height}`);
      data.set(`picture.${name}`, new Blob([picture.pixels()]), "pixels");
    }
    return data;
  }

  async send() {
    this.button.classList.add("busy");
    this.answer.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(this.form.action, { method: "POST", body: this.body(), headers: { "x-fragment": "1" } });
      const text = await response.text();
      if (response.ok) this.show(text);
      else this.fail(text);
    } catch (error) {
      this.fail(`The server did not answer: ${error.message}`);
    }
    this.button.classList.remove("busy");
    this.button.removeAttribute("aria-disabled");
    this.answer.removeAttribute("aria-busy");
  }

  show(html) {
    this.answer.innerHTML = html;
    const seen = this.answer.querySelector("[data-seen]"), picture = [...this.pictures.values()].find(({ image }) => image);
    if (!seen || !picture) return;
    const copy = document.createElement("canvas");
    Object.assign(copy, { width: picture.canvas.width, height: picture.canvas.height });
    copy.getContext("2d").drawImage(picture.canvas, 0, 0);
    seen.prepend(copy);
  }

  fail(text) {
    const note = document.createElement("div");
    note.className = "note bad";
    note.setAttribute("role", "alert");
    note.textContent = text;
    this.answer.replaceChildren(note);
  }
}

const asking = document.querySelector("form[data-ask]");
if (asking) new Ask(asking);
