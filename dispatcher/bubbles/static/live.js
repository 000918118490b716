// Keeps a page up to date: the server tells versions, the page fetches itself and takes what is new.

// Calls `changed(version)` for every version, also after a lost connection. A hidden page lets go
// of its connection: browsers open only a few to one server.
export function listen(url, changed) {
  let source = null;
  const close = () => {
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    source = new EventSource(url);
    source.onmessage = (event) => changed(event.data);
    source.onopen = () => document.body.classList.remove("is-offline");
    source.onerror = () => {
      document.body.classList.add("is-offline");
      if (source?.readyState === EventSource.CLOSED) setTimeout(open, 2000);
    };
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", () => source ?? open());
  if (!document.hidden) open();
}

// One call of `work` at a time; calls during it make one more.
export function oneAtATime(work) {
  let running = false;
  let again = false;
  return async () => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    do {
      again = false;
      await work().catch(() => {});
    } while (again);
    running = false;
  };
}

export async function fetchPage(url) {
  const answer = await fetch(url, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Puts the other page's elements in the place of ours; the focus stays where it was.
export function swap(next, ...ids) {
  for (const id of ids) {
    const [ours, theirs] = [document.getElementById(id), next.getElementById(id)];
    if (!ours || !theirs || ours.isEqualNode(theirs)) continue;
    const focused = ours.contains(document.activeElement) ? document.activeElement.id : "";
    ours.replaceWith(theirs);
    if (focused) document.getElementById(focused)?.focus();
  }
}

// Moments in the reader's time: today's by the hour, others with their day.
export function localize(root) {
  const today = new Date().toDateString();
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const hour = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const day = moment.toLocaleDateString([], { day: "numeric", month: "short" });
    time.textContent = moment.toDateString() === today ? hour : `${day}, ${hour}`;
    time.title = moment.toLocaleString();
  }
}

// Puts what a form of search asks for into the address and calls `show`, as it is written; `/` leads there.
export function search(form, show) {
  let typing = 0;
  const find = oneAtATime(async () => {
    const url = new URL("/", location);
    for (const [name, value] of new FormData(form)) if (value) url.searchParams.set(name, value);
    history.replaceState(null, "", url);
    await show();
  });
  const soon = (delay) => {
    clearTimeout(typing);
    typing = setTimeout(find, delay);
  };
  form.addEventListener("input", (event) => soon(event.target.name === "q" ? 200 : 0));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    soon(0);
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input, select, textarea");
    if (event.key !== "/" || isTyping || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    form.elements.q.focus();
  });
}

// Arrow keys walk along the links of a list.
export function walk(list) {
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target.matches("select")) return;
    const links = [...list.querySelectorAll("a[href]")];
    links[links.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  });
}
