// Updates jobs on a page while they run. Every other function of the pages works without this script.
"use strict";

const OPEN = ["queued", "running"];
const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];

function duration(seconds) {
  const parts = [];
  let left = Math.round(seconds);
  for (const [unit, size] of [...UNITS, ["s", 1]]) {
    if (left >= size || parts.length) parts.push(`${Math.floor(left / size)} ${unit}`);
    left %= size;
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

function age(moment) {
  const passed = (Date.now() - new Date(moment)) / 1000;
  const unit = UNITS.find(([, size]) => passed >= size);
  return unit ? `${Math.floor(passed / unit[1])} ${unit[0]} ago` : "just now";
}

function announce(text) {
  document.getElementById("status").textContent = text;
}

function progressText(job) {
  if (job.state === "queued") return "Waiting for a worker";
  const { images_done: done, images_total: total, seconds_left: left } = job.progress;
  if (!total) return "Listing images";
  const images = `${done.toLocaleString("en")} of ${total.toLocaleString("en")} images`;
  return left === null ? images : `${images}, about ${duration(left)} left`;
}

function showState(place, state) {
  place.dataset.state = state;
  const pill = place.querySelector("[data-state].pill");
  if (pill.textContent === state) return;
  pill.className = `pill ${state}`;
  pill.textContent = state;
}

function showProgress(place, job) {
  const shown = place.querySelector("[data-progress]");
  if (!shown) return;
  const bar = shown.querySelector("progress");
  if (job.progress.images_total) {
    bar.max = job.progress.images_total;
    bar.value = job.progress.images_done;
  }
  shown.querySelector("[data-progress-text]").textContent = progressText(job);
}

// Replaces a part of this page by the server's current version of it; the focus and the selected jobs stay.
async function reload(part) {
  const chosen = new Set([...part.querySelectorAll("input:checked")].map((each) => each.value));
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  if (!fresh) return;
  const focused = document.activeElement?.getAttribute("href");
  part.replaceWith(fresh);
  for (const box of fresh.querySelectorAll("input[type=checkbox]")) box.checked = chosen.has(box.value);
  if (focused) [...fresh.querySelectorAll("a")].find((each) => each.getAttribute("href") === focused)?.focus();
  start(fresh);
}

class Live {
  constructor(part) {
    this.part = part;
    this.seen = new Map();
    this.added = new Set();
    this.isList = part.dataset.live === "list";
  }

  open() {
    if (this.source || !this.part.isConnected) return;
    this.source = new EventSource(this.part.dataset.events);
    for (const name of ["listed", "added", "state", "progress"]) {
      this.source.addEventListener(name, (event) => this.update(name, JSON.parse(event.data), Number(event.lastEventId)));
    }
    this.source.addEventListener("forgotten", (event) => this.remove(JSON.parse(event.data).id));
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  update(name, job, version) {
    if ((this.seen.get(job.id) ?? 0) >= version) return;
    this.seen.set(job.id, version);
    const place = this.isList ? this.part.querySelector(`[data-job="${CSS.escape(job.id)}"]`) : this.part;
    if (!place) return this.showNew(job);
    const ended = OPEN.includes(place.dataset.state) && !OPEN.includes(job.state);
    showState(place, job.state);
    showProgress(place, job);
    if (ended) this.end(job);
  }

  end(job) {
    announce(`${job.name ?? "The audit"} has ${job.state}`);
    this.close();
    reload(this.part);
  }

  showNew(job) {
    this.added.add(job.id);
    const news = this.part.querySelector(".news");
    if (!news) return;
    const count = this.added.size;
    news.hidden = false;
    news.firstElementChild.textContent = count === 1 ? "Show 1 new job" : `Show ${count} new jobs`;
  }

  remove(id) {
    if (!this.isList) return this.close();
    this.part.querySelector(`[data-job="${CSS.escape(id)}"]`)?.remove();
  }
}

let live = null;

function start(part) {
  live?.close();
  live = part.dataset.events ? new Live(part) : null;
  // A browser opens at most six connections to a server, so a hidden page closes its own.
  if (!document.hidden) live?.open();
  initCompare(part);
}

// Enables the button to compare when exactly two jobs are selected.
function initCompare(part) {
  const button = part.querySelector("[data-compare]");
  if (!button) return;
  const boxes = [...part.querySelectorAll("input[type=checkbox]")];
  const check = () => {
    const count = boxes.filter((box) => box.checked).length;
    button.disabled = count !== 2;
    button.textContent = count === 2 ? "Compare selected" : `Select two to compare${count ? ` (${count})` : ""}`;
    for (const box of boxes) box.disabled = count >= 2 && !box.checked;
  };
  part.addEventListener("change", check);
  check();
}

document.addEventListener("visibilitychange", () => (document.hidden ? live?.close() : live?.open()));
setInterval(() => {
  for (const time of document.querySelectorAll("time")) time.textContent = age(time.dateTime);
}, 30000);
const part = document.querySelector("#jobs, #job");
if (part) start(part);
