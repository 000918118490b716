// Keeps the open inbox up to date; without it, the page is links and forms.
import { fetchPage, listen, localize, oneAtATime, search, swap, walk } from "/static/bubbles/live.js";
import "./detail.js";
import "./faults.js";

const log = document.getElementById("messages");
const newest = document.getElementById("newest");
const detail = document.getElementById("detail");
const PARTS = ["chats", "switches", "rules", "fault-count"];

// The same page with the chat that is open: another must not take its place by getting a message.
function here() {
  const url = new URL(location);
  if (document.body.dataset.chat) url.searchParams.set("chat", document.body.dataset.chat);
  return url;
}

// Whether the newest message is to stay in sight, also while media above it are loaded.
let following = true;
const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 80;
const toEnd = () => {
  log.scrollTop = log.scrollHeight;
  newest.hidden = true;
  following = true;
};
const keepEnd = () => following && toEnd();

const refresh = oneAtATime(async () => {
  const asked = here();
  const next = await fetchPage(asked);
  // Somebody has searched meanwhile: what was asked for before must not be mixed with what they see.
  if (here().href !== asked.href) return refresh();
  localize(next);
  document.body.dataset.version = next.body.dataset.version;
  document.title = next.title;
  swap(next, ...PARTS);
  merge(next);
  markRead();
});

// Takes the messages that are new; all of them where none of ours is among them.
function merge(next) {
  if (next.body.dataset.chat !== document.body.dataset.chat) return open(next);
  const ours = document.getElementById("bubbles");
  const theirs = [...next.querySelectorAll("#bubbles > li")];
  const isKnown = (bubble) => document.getElementById(bubble.id) !== null;
  if (!ours || !theirs.length || !theirs.some(isKnown)) return open(next);
  if (new URL(location).searchParams.has("before")) return;
  const fresh = theirs.filter((bubble) => !isKnown(bubble));
  fresh.forEach((bubble) => bubble.classList.add("is-new"));
  ours.append(...fresh);
  if (fresh.length) following ? toEnd() : (newest.hidden = false);
}

// Shows the other page's conversation in the place of ours.
function open(next) {
  const [ours, theirs] = [document, next].map((page) => page.querySelector(".conversation"));
  if (document.getElementById("messages").isEqualNode(next.getElementById("messages"))) return;
  document.body.dataset.chat = next.body.dataset.chat;
  ours.querySelector(".chat-head")?.remove();
  ours.querySelector("#chat-title")?.remove();
  const head = [theirs.querySelector(".chat-head") ?? theirs.querySelector("#chat-title")];
  ours.prepend(...head);
  log.replaceChildren(...next.getElementById("messages").childNodes);
  toEnd();
}

function markRead() {
  const chat = document.body.dataset.chat;
  const unread = document.querySelector(`[id="chat-${chat}"] .badge:not(.is-calm)`);
  if (unread && !document.hidden && log.offsetParent)
    fetch(`/api/chats/${encodeURIComponent(chat)}/read`, { method: "POST" });
}

async function earlier(link) {
  if (link.ariaBusy) return;
  link.ariaBusy = "true";
  const next = await fetchPage(link.href);
  if (!link.isConnected) return;
  localize(next);
  const before = log.scrollHeight - log.scrollTop;
  document.getElementById("bubbles").prepend(...next.querySelectorAll("#bubbles > li"));
  const more = next.getElementById("earlier");
  more ? link.replaceWith(more) : link.remove();
  log.scrollTop = log.scrollHeight - before;
}

async function showDetail(link) {
  const next = await fetchPage(link.href);
  localize(next);
  detail.replaceChildren(next.getElementById("sheet"));
  detail.showModal();
}

async function clear() {
  if (confirm("Forget all messages?")) await fetch("/api/messages", { method: "DELETE" });
}

async function find() {
  document.body.dataset.chat = "";
  await refresh();
}

function clicked(event) {
  const at = (selector) => event.target.closest(selector);
  const isPlain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.button);
  const link = at("#earlier") ?? at("[data-detail]");
  if (link && isPlain) {
    event.preventDefault();
    link.id === "earlier" ? earlier(link) : showDetail(link);
  }
  const close = at("dialog [data-close]");
  if (close) {
    event.preventDefault();
    close.closest("dialog").close();
  }
  if (event.target.matches("dialog")) event.target.close();
}

localize(document);
toEnd();
walk(document.querySelector(".list"));
document.addEventListener("click", clicked);
document.getElementById("clear").addEventListener("click", clear);
newest.addEventListener("click", toEnd);
for (const loaded of ["load", "loadedmetadata"]) log.addEventListener(loaded, keepEnd, true);
log.addEventListener("scroll", () => {
  following = isAtEnd();
  if (following) newest.hidden = true;
});
search(document.getElementById("search"), find);
document.addEventListener("visibilitychange", markRead);
markRead();
listen("/inbox/events", (version) => version !== document.body.dataset.version && refresh());
