// Sliders of traffic: what one gives the others take, so that the sum stays 100. The form works without it.
"use strict";

const whole = (value) => Math.round(value * 100) / 100;

class Traffic {
  constructor(form) {
    this.sum = form.querySelector("[data-sum]");
    this.lanes = [...form.querySelectorAll(".lane")].map((lane) => ({
      slider: lane.querySelector("[data-slider]"), share: lane.querySelector("[data-share]"),
    }));
    this.lanes.forEach((lane, i) => {
      lane.slider.addEventListener("input", () => this.give(i, Number(lane.slider.value)));
      lane.share.addEventListener("input", () => { lane.slider.value = lane.share.value; this.tell(); });
    });
    this.tell();
  }

  give(place, share) {
    const others = this.lanes.filter((_, i) => i !== place), held = others.reduce((sum, lane) => sum + Number(lane.share.value), 0);
    let rest = 100 - share;
    this.set(this.lanes[place], share);
    others.forEach((lane, i) => {
      const fair = i === others.length - 1 ? rest : Math.min(rest, whole(held ? (Number(lane.share.value) / held) * (100 - share) : i ? 0 : 100 - share));
      this.set(lane, whole(fair));
      rest = whole(rest - fair);
    });
    this.tell();
  }

  set(lane, value) {
    lane.share.value = value;
    lane.slider.value = value;
  }

  tell() {
    if (!this.sum) return;
    const sum = whole(this.lanes.reduce((total, lane) => total + Number(lane.share.value), 0));
    this.sum.textContent = sum === 100 ? "" : `The shares are ${sum} % together; they must be 100.`;
  }
}

const form = document.querySelector("form[data-traffic]");
if (form) new Traffic(form);
