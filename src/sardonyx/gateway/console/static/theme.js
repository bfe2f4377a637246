// Before the first paint: the colours that were chosen here before, that scripts run, and that a page which is left
// before its transition has begun tells nobody.
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  try {
    const theme = localStorage.getItem("theme");
    if (theme) root.dataset.theme = theme;
  } catch { /* a browser without storage follows the system */ }
  for (const moment of ["pageswap", "pagereveal"]) {
    addEventListener(moment, ({ viewTransition }) => {
      viewTransition?.ready.catch(() => {});
      viewTransition?.finished.catch(() => {});
    });
  }
})();
