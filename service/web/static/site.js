// What pages do beyond being read: jobs that change while they are looked at. Everything else works without.
"use strict";

const OPEN = ["queued", "running"];
const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];

function duration(seconds) {
  const said = [];
  let left = Math.round(seconds);
  for (const [unit, size] of [...UNITS, ["s", 1]]) {
    if (left >= size || said.length) said.push(`${Math.floor(left / size)} ${unit}`);
    left %= size;
  }
  return said.slice(0, 2).join(" ") || "0 s";
}

function age(moment) {
  const passed = (Date.now() - new Date(moment)) / 1000;
  const unit = UNITS.find(([, size]) => passed >= size);
  return unit ? `${Math.floor(passed / unit[1])} ${unit[0]} ago` : "just now";
}

function say(text) {
  document.getElementById("said").textContent = text;
}

function told(job) {
  if (job.state === "queued") return "waiting for a worker";
  const { images_done: done, images_total: total, seconds_left: left } = job.progress;
  if (!total) return "listing images";
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
  shown.querySelector("[data-told]").textContent = told(job);
}

// The page as the server shows it now, put in the place of a part of this one; what is focused or chosen stays.
async function renew(part) {
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
    this.came = new Set();
    this.isList = part.dataset.live === "list";
  }

  open() {
    if (this.source || !this.part.isConnected) return;
    this.source = new EventSource(this.part.dataset.events);
    for (const name of ["listed", "added", "state", "progress"]) {
      this.source.addEventListener(name, (event) => this.hear(name, JSON.parse(event.data), Number(event.lastEventId)));
    }
    this.source.addEventListener("forgotten", (event) => this.forget(JSON.parse(event.data).id));
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  hear(name, job, version) {
    if ((this.seen.get(job.id) ?? 0) >= version) return;
    this.seen.set(job.id, version);
    const place = this.isList ? this.part.querySelector(`[data-job="${CSS.escape(job.id)}"]`) : this.part;
    if (!place) return this.announce(job);
    const ended = OPEN.includes(place.dataset.state) && !OPEN.includes(job.state);
    showState(place, job.state);
    showProgress(place, job);
    if (ended) this.end(job);
  }

  end(job) {
    say(`${job.name ?? "The audit"} has ${job.state}`);
    this.close();
    renew(this.part);
  }

  announce(job) {
    this.came.add(job.id);
    const news = this.part.querySelector(".news");
    if (!news) return;
    const count = this.came.size;
    news.hidden = false;
    news.firstElementChild.textContent = count === 1 ? "Show a new job" : `Show ${count} new jobs`;
  }

  forget(id) {
    if (!this.isList) return this.close();
    this.part.querySelector(`[data-job="${CSS.escape(id)}"]`)?.remove();
  }
}

let live = null;

function start(part) {
  live?.close();
  live = part.dataset.events ? new Live(part) : null;
  // A browser opens six connections to a place at most: a page that nobody looks at holds none.
  if (!document.hidden) live?.open();
  choose(part);
}

// Two jobs are compared, no more and no fewer.
function choose(part) {
  const button = part.querySelector("[data-compare]");
  if (!button) return;
  const boxes = [...part.querySelectorAll("input[type=checkbox]")];
  const check = () => {
    const count = boxes.filter((box) => box.checked).length;
    button.disabled = count !== 2;
    button.textContent = count === 2 ? "Compare the two chosen" : `Choose two to compare${count ? ` (${count})` : ""}`;
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
