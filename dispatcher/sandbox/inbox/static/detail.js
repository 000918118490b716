// Copies what is in a block, and shows moments in the reader's time.
import { localize } from "/static/bubbles/live.js";

localize(document);
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const block = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(block.textContent);
    button.classList.add("is-done");
    setTimeout(() => button.classList.remove("is-done"), 1500);
  } catch {
    getSelection().selectAllChildren(block);
  }
});
