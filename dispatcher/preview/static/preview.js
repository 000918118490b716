// Takes what is new as soon as a file has changed.
import { fetchPage, listen, oneAtATime, search, swap, walk } from "/static/bubbles/live.js";

const refresh = oneAtATime(async () => {
  const next = await fetchPage(location.href);
  document.body.dataset.version = next.body.dataset.version;
  document.title = next.title;
  swap(next, "counts", "chats", "conversation");
});

search(document.getElementById("search"), refresh);
walk(document.querySelector(".list"));
listen("/events", (version) => version !== document.body.dataset.version && refresh());
