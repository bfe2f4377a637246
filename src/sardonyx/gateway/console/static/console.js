// What every page does: colours, moments in the reader's time, questions before dangerous acts, live numbers.
// Pages work without it; it must not know any single page.
"use strict";

const root = document.documentElement;

function showTheme() {
  for (const button of document.querySelectorAll("[data-theme-set]"))
    button.setAttribute("aria-pressed", String((root.dataset.theme ?? "") === button.dataset.themeSet));
}

function setTheme(theme) {
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  try { theme ? localStorage.setItem("theme", theme) : localStorage.removeItem("theme"); } catch { /* not kept */ }
  showTheme();
}

const STEPS = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [2592000, "day", 86400]];

function showMoments() {
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto", style: "short" });
  for (const element of document.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime), ago = (at - Date.now()) / 1000;
    const step = STEPS.find(([limit]) => Math.abs(ago) < limit);
    element.title = at.toLocaleString();
    element.textContent = step ? words.format(Math.round(ago / step[2]), step[1]) : at.toLocaleDateString();
  }
}

const NARROW = 900;

// A table that does not fit a narrow window stands row by row, each cell beside the head of its column.
function foldTables() {
  const tables = [...document.querySelectorAll(".scroll:has(table.stacked)")];
  for (const box of tables) box.classList.remove("folded");
  const wide = tables.filter((box) => innerWidth < NARROW && box.scrollWidth > box.clientWidth + 1);
  for (const box of wide) box.classList.add("folded");
}

document.addEventListener("click", (event) => {
  const theme = event.target.closest("[data-theme-set]");
  if (theme) setTheme(theme.dataset.themeSet);
  const menu = document.querySelector("details.menu[open]");
  if (menu && !menu.contains(event.target)) menu.open = false;
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    navigator.clipboard?.writeText(document.getElementById(copy.dataset.copy).textContent.trim());
    const before = copy.textContent;
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = before; }, 1500);
  }
});

document.addEventListener("keydown", (event) => {
  const menu = document.querySelector("details.menu[open]");
  if (event.key === "Escape" && menu) { menu.open = false; menu.querySelector("summary").focus(); }
});

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !window.confirm(question)) { event.preventDefault(); return; }
  if (event.submitter && !event.defaultPrevented) {
    event.submitter.classList.add("busy");
    event.submitter.setAttribute("aria-disabled", "true");
  }
});

document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-go]")) location.href = event.target.value;
});

showTheme();
showMoments();
setInterval(showMoments, 10000);
foldTables();
addEventListener("resize", foldTables);
