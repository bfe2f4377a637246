// Custom vision: pictures are sent in parts, keys label them, a training says how far it is.
// Without it the forms still do all of this, a page at a time.
"use strict";

const PART_BYTES = 16 << 20, PART_FILES = 200;

function parts(files) {
  const made = [[]];
  let bytes = 0;
  for (const file of files) {
    if (made.at(-1).length && (bytes + file.size > PART_BYTES || made.at(-1).length >= PART_FILES)) { made.push([]); bytes = 0; }
    made.at(-1).push(file);
    bytes += file.size;
  }
  return made;
}

class Upload {
  constructor(form) {
    this.form = form;
    this.input = form.querySelector("input[type=file]");
    this.said = form.querySelector("[data-said]");
    this.bar = form.querySelector("progress");
    const zone = form.querySelector(".drop-zone");
    zone.addEventListener("dragover", () => zone.classList.add("over"));
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", () => zone.classList.remove("over"));
    this.input.addEventListener("change", () => { form.querySelector("[data-hint]").textContent = `${this.input.files.length} chosen`; });
    form.addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
  }

  async send() {
    const files = [...this.input.files], told = [];
    if (!files.length) { this.tell("Choose pictures first."); return; }
    this.bar.hidden = false;
    let sent = 0;
    for (const part of parts(files)) {
      const data = new FormData(this.form);
      data.delete("files");
      for (const file of part) data.append("files", file);
      try {
        const response = await fetch(this.form.action, { method: "POST", body: data, headers: { "x-fragment": "1" } });
        const text = await response.text();
        if (!response.ok) { this.tell(text); return; }
        told.push(text);
      } catch (error) {
        this.tell(`The server did not answer: ${error.message}`);
        return;
      }
      sent += part.length;
      this.bar.value = sent / files.length;
      this.tell(`${sent} of ${files.length} sent`);
    }
    this.tell(told.join("; "));
    setTimeout(() => location.reload(), told.some((text) => text.includes("refused")) ? 4000 : 600);
  }

  tell(text) {
    this.said.textContent = text;
    const button = this.form.querySelector("button");
    button.classList.remove("busy");
    button.removeAttribute("aria-disabled");
  }
}

function follow(box) {
  const bar = box.querySelector("progress"), said = box.querySelector("[data-said]"), events = new EventSource(box.dataset.training);
  events.addEventListener("message", ({ data }) => {
    const { state, done, total } = JSON.parse(data);
    if (state !== "running") { events.close(); location.reload(); return; }
    bar.max = total || 1;
    bar.value = done;
    said.textContent = done + 1 < total ? `Picture ${done + 1} of ${total}` : "Learning and judging";
  });
}

const upload = document.querySelector("form[data-upload]"), training = document.querySelector("[data-training]");
if (upload) new Upload(upload);
if (training) follow(training);
if (document.querySelector("[data-labelling]"))
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (target) { event.preventDefault(); target.click(); }
  });
