// The panel of faults: every change reads the rules, changes them, and puts them back.

const dialog = document.getElementById("faults");
const form = document.getElementById("new-rule");
const error = document.getElementById("rule-error");
const NUMBERS = ["times", "probability", "status", "code", "delay"];

async function change(edit) {
  const rules = await (await fetch("/api/faults")).json();
  const body = JSON.stringify(edit(rules));
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/api/faults", { method: "PUT", headers, body });
  return answer.ok ? null : await answer.json();
}

// Whether the rule is one that the switch sets, whatever else has its default.
const isSame = (wanted) => (rule) =>
  Object.entries(wanted).every(([name, value]) => rule[name] === value) &&
  rule.to === null && rule.times === null && rule.probability === 1 && rule.path === "/v1/messages";

function toggle(button) {
  const wanted = JSON.parse(button.dataset.rule);
  const on = button.getAttribute("aria-checked") === "true";
  return change((rules) => (on ? rules.filter((rule) => !isSame(wanted)(rule)) : [...rules, wanted]));
}

function written() {
  const given = [...new FormData(form)].filter(([, value]) => value.trim() !== "");
  return Object.fromEntries(
    given.map(([name, value]) => {
      const isNumber = NUMBERS.includes(name) || (name === "retry_after" && !isNaN(value));
      return [name, isNumber ? Number(value) : value.trim()];
    }),
  );
}

async function add(event) {
  event.preventDefault();
  const refusal = await change((rules) => [...rules, written()]);
  error.textContent = refusal ? refusal.error.replace(/^rule \d+: /, "") : "";
  if (refusal) form.elements[refusal.field]?.focus();
  else form.reset();
}

document.getElementById("open-faults").addEventListener("click", () => dialog.showModal());
form.addEventListener("submit", add);
dialog.addEventListener("click", async (event) => {
  const remove = event.target.closest("[data-remove]");
  const button = event.target.closest("[role=switch]");
  if (remove) await change((rules) => rules.filter((_, index) => index !== Number(remove.dataset.remove)));
  if (button) await toggle(button);
});
