// Before the first paint: the colours that were chosen here before, and that scripts run.
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  try {
    const theme = localStorage.getItem("theme");
    if (theme) root.dataset.theme = theme;
  } catch { /* a browser without storage follows the system */ }
})();
