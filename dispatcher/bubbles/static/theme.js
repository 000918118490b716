// Light, dark or as the system has it: applied before the first paint, changed by a button.
(() => {
  const themes = ["system", "light", "dark"];
  const root = document.documentElement;
  const saved = () => {
    try {
      return localStorage.getItem("theme") ?? "system";
    } catch {
      return "system";
    }
  };
  const apply = (theme) => {
    root.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.setAttribute("aria-label", `Theme: ${theme}`);
      button.title = `Theme: ${theme}`;
    }
  };
  const next = () => {
    const theme = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // Where nothing may be kept, the choice lasts as long as the page.
    }
    apply(theme);
  };
  apply(saved());
  document.addEventListener("DOMContentLoaded", () => apply(saved()));
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-theme-switch]")) next();
  });
})();
