// Takes what is new as soon as a file has changed.
import { fetchPage, listen, oneAtATime, search, swap, walk } from "/static/bubbles/live.js";

const refresh = oneAtATime(async () => {
  const next = await fetchPage(location.href);
  document.body.dataset.version = next.body.dataset.version;
  document.title = next.title;
  swap(next, "counts", "chats", "head", "notices");
  swapBubbles(next);
});

// A bubble that is the same stays, with all that it has loaded: so nothing moves under the reader.
function swapBubbles(next) {
  const [ours, theirs] = [document, next].map((page) => page.getElementById("bubbles"));
  const known = [...ours.children];
  const bubbles = [...theirs.children].map((bubble) => {
    const index = known.findIndex((each) => each.isEqualNode(bubble));
    return index < 0 ? bubble : known.splice(index, 1)[0];
  });
  ours.replaceChildren(...bubbles);
}

async function find() {
  await refresh();
  document.getElementById("messages").scrollTop = 0;
}

search(document.getElementById("search"), find);
walk(document.querySelector(".list"));
listen("/events", (version) => version !== document.body.dataset.version && refresh());
