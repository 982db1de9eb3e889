"use strict";

// Tables: a button in each heading sorts by its column.
const MISSING = new Set(["", "–"]);

function value(text) {
  const number = text.replaceAll("−", "-").match(/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?/i);
  return number ? Number(number[0]) : text.toLowerCase();
}

function compare(a, b) {
  const [left, right] = [value(a), value(b)];
  if (typeof left !== typeof right) return typeof left === "number" ? -1 : 1;
  return typeof left === "number" ? left - right : left.localeCompare(right);
}

// A row that begins with an empty cell belongs to the one above it (ours, published, difference).
function groups(body) {
  const found = [];
  for (const row of body.rows) {
    if (found.length && row.cells[0].textContent.trim() === "") found.at(-1).push(row);
    else found.push([row]);
  }
  return found;
}

function sort(table, heading) {
  const column = heading.cellIndex;
  const ascending = heading.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const text = (group) => group[0].cells[column].textContent.trim();
  const sorted = groups(body).sort((one, other) => {
    const [a, b] = [text(one), text(other)];
    if (MISSING.has(a) || MISSING.has(b)) return MISSING.has(a) - MISSING.has(b);
    return ascending ? compare(a, b) : compare(b, a);
  });
  body.append(...sorted.flat());
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
}

for (const table of document.querySelectorAll(".results table")) {
  for (const heading of table.tHead.rows[0].cells) {
    if (heading.textContent.trim() === "") continue;
    heading.scope = "col";
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(table, heading));
    heading.append(button);
  }
}

// Runs: all words of the text, the loss and the state. A setting is a word by its whole and by its
// short name: optimizer.lr=0.001, lr=0.001.
const filters = document.querySelector(".filters");
const items = [...document.querySelectorAll(".runs > li")];
const fields = ["text", "loss", "state"].map((name) => document.getElementById(`filter-${name}`));
const words = items.map((item) => {
  const lines = [...item.querySelectorAll("pre")].flatMap((one) => one.textContent.split("\n"));
  const short = lines.map((line) => line.replace(/^[^=]*\./, ""));
  const all = [...item.dataset.words.split(" "), ...lines, ...short];
  return new Set(all.map((word) => word.toLowerCase()));
});
const known = new Set(words.flatMap((own) => [...own]));

// A word that no run has may be the beginning of one, as it is while it is typed.
function has(own, word) {
  return known.has(word) ? own.has(word) : [...own].some((one) => one.startsWith(word));
}

function filter() {
  const [text, loss, state] = fields.map((field) => field.value);
  const sought = text.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  items.forEach((item, at) => {
    item.hidden =
      (loss !== "" && item.dataset.loss !== loss) ||
      (state !== "" && item.dataset.state !== state) ||
      !sought.every((word) => has(words[at], word));
    shown += !item.hidden;
  });
  document.getElementById("run-count").textContent = `${shown} of ${items.length} runs`;
}

filters.hidden = false;
filters.addEventListener("input", filter);
filters.addEventListener("submit", (event) => event.preventDefault());
filter();

// A link to a run opens it.
function open() {
  const item = items.find((one) => `#${one.id}` === location.hash);
  if (!item) return;
  if (item.hidden) {
    filters.reset();
    filter();
  }
  item.querySelector("details").open = true;
  item.querySelector("summary").focus();
}

addEventListener("hashchange", open);
open();

// On paper, the tables are all there.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details.more")) details.open = true;
});
