// Takes what is new as soon as a file has changed.
import { fetchPage, listen, oneAtATime, swap, walk } from "/static/bubbles/live.js";

const refresh = oneAtATime(async () => {
  const next = await fetchPage(location.href);
  document.body.dataset.version = next.body.dataset.version;
  document.title = next.title;
  swap(next, "counts", "chats", "conversation");
});

walk(document.querySelector(".list"));
listen("/events", (version) => version !== document.body.dataset.version && refresh());
