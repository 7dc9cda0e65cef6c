"use strict";
// Plays the records of a log: pictures of the screen, the pointer, steps and what else happened.

const records = JSON.parse(document.getElementById("records").textContent);
// The order of the records counts: times that are equal are told apart.
records.forEach((r, i) => { if (i && r.t <= records[i - 1].t) r.t = records[i - 1].t + 1e-6; });
const $ = (id) => document.getElementById(id);
const screen = $("screen"), marks = $("marks");
// The screen is drawn on a canvas that is not shown, so that no state before the wanted one is seen.
const back = document.createElement("canvas");
const paint = back.getContext("2d"), front = screen.getContext("2d"), mark = marks.getContext("2d");

// Pauses longer than this are skipped, in seconds.
const PAUSE = 1.5;
// Pictures of the whole screen that are kept to go back quickly.
const KEPT = 40;

const screens = records.filter((r) => r.k === "screen");
const pointers = new Map(records.filter((r) => r.k === "pointer").map((r) => [r.n, r]));
const steps = records.filter((r) => r.k === "step");
const ends = new Map(records.filter((r) => r.k === "end").map((r) => [r.n, r]));
const start = records.find((r) => r.k === "start") || {};
const length = records.reduce((last, r) => Math.max(last, r.t), 0) + 1;

let time = 0;
let drawn = -1;          // Index of the last screen on the canvas; -1: none.
let drawing = null;      // The draw that is under way.
const snapshots = [];    // [index of a screen, bitmap], in order.

function bytes(text) {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

// Returns the index of the last record of a list that is not after a time; -1 if there is none.
function lastBefore(list, t) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].t <= t) low = middle + 1; else high = middle;
  }
  return low - 1;
}

// Whether the screen is known: a record may be missing until the next picture of the whole screen.
screens.forEach((s, i) => { s.known = s.key || (i > 0 && screens[i - 1].known && s.n === screens[i - 1].n + 1); });

function resize(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
}

async function apply(index) {
  const change = screens[index];
  if (!change.known) { paint.clearRect(0, 0, back.width, back.height); drawn = index; return; }
  const images = await Promise.all(change.parts.map((part) =>
    createImageBitmap(new Blob([bytes(part[2])], { type: "image/png" }))));
  if (change.key) resize(back, change.w, change.h);
  images.forEach((image, i) => { paint.drawImage(image, change.parts[i][0], change.parts[i][1]); image.close(); });
  drawn = index;
  if (index % 50 === 49 && !snapshots.some((s) => s[0] === index)) {
    snapshots.push([index, await createImageBitmap(back)]);
    snapshots.sort((a, b) => a[0] - b[0]);
    if (snapshots.length > KEPT) snapshots.splice(1 + Math.floor(Math.random() * (KEPT - 1)), 1)[0][1].close();
  }
}

// Draws the screen of the present time. Calls during a draw are combined.
async function draw() {
  if (drawing) { drawing.again = true; return drawing.done; }
  const state = { again: false };
  drawing = state;
  state.done = (async () => {
    try { do {
      state.again = false;
      const wanted = lastBefore(screens, time);
      if (wanted < 0) { paint.clearRect(0, 0, back.width, back.height); drawn = -1; break; }
      let from = drawn;
      if (wanted < from || from < 0) from = -1;
      for (let i = wanted; i > from; i--) if (screens[i].key) { from = i - 1; break; }
      const known = snapshots.filter((s) => s[0] <= wanted && s[0] > from).pop();
      if (known && (from >= 0 || known[0] > from)) {
        resize(back, screens[known[0]].w, screens[known[0]].h);
        paint.drawImage(known[1], 0, 0);
        from = known[0];
        drawn = from;
      }
      for (let i = from + 1; i <= wanted && !state.again; i++) await apply(i);
      // While it plays, the next call comes before this one ends.
      if (state.again && isPlaying()) present();
    } while (state.again); } catch (error) { drawn = -1; fail(error); }
    drawing = null;
    present();
  })();
  return state.done;
}

function present() {
  for (const canvas of [screen, marks]) resize(canvas, back.width, back.height);
  front.clearRect(0, 0, screen.width, screen.height);
  front.drawImage(back, 0, 0);
  overlay();
}

// Says that a picture of the log cannot be drawn.
function fail(error) {
  $("now").textContent = "The screen cannot be drawn here: " + error.message;
}

const cursors = new Map();
function cursor(number) {
  if (cursors.has(number)) return cursors.get(number);
  const image = pointers.get(number);
  let canvas = null;
  if (image && image.w && image.h) {
    canvas = document.createElement("canvas");
    canvas.width = image.w; canvas.height = image.h;
    const data = new ImageData(image.w, image.h), from = bytes(image.d);
    for (let i = 0; i < data.data.length; i += 4) {
      // Blue, green, red and alpha, premultiplied.
      const alpha = from[i + 3] || 1;
      for (let c = 0; c < 3; c++) data.data[i + c] = Math.min(255, from[i + 2 - c] * 255 / alpha);
      data.data[i + 3] = from[i + 3];
    }
    canvas.getContext("2d").putImageData(data, 0, 0);
  }
  cursors.set(number, canvas);
  return canvas;
}

// Draws the pointer and where the present step acts.
function overlay() {
  mark.clearRect(0, 0, marks.width, marks.height);
  const now = screens[Math.max(0, lastBefore(screens, time))];
  const step = steps[lastBefore(steps, time)];
  const end = step && ends.get(step.n);
  const isShown = step && time <= Math.max(end ? end.t : length, step.t) + 1.2;
  if (isShown) {
    if (end && end.changed && time >= end.t) {
      const [x, y, w, h] = end.changed;
      mark.strokeStyle = "#58a6ff"; mark.lineWidth = 2; mark.setLineDash([6, 4]);
      mark.strokeRect(x + 1, y + 1, w - 2, h - 2);
      mark.setLineDash([]);
    }
    mark.lineWidth = 3; mark.strokeStyle = step.person ? "#3fb950" : "#f85149";
    if (step.points.length > 1) {
      mark.beginPath();
      step.points.forEach(([x, y], i) => i ? mark.lineTo(x, y) : mark.moveTo(x, y));
      mark.stroke();
    }
    for (const [x, y] of step.points) { mark.beginPath(); mark.arc(x + 0.5, y + 0.5, 14, 0, 7); mark.stroke(); }
  }
  if (now && now.p && drawn >= 0) {
    const image = cursor(now.pi), shape = pointers.get(now.pi);
    if (image) mark.drawImage(image, now.p[0] - shape.x, now.p[1] - shape.y);
  }
}

function clock(t) {
  const minutes = Math.floor(t / 60), seconds = (t % 60).toFixed(1).padStart(4, "0");
  return minutes + ":" + seconds;
}

const rows = [];
function list() {
  const ol = $("list");
  for (const record of records) {
    if (record.k !== "step" && record.k !== "note") continue;
    const li = document.createElement("li"), at = document.createElement("time");
    at.textContent = clock(record.t);
    li.append(at);
    li.tabIndex = 0;
    if (record.k === "step") {
      const name = document.createElement("b"), end = ends.get(record.n), small = document.createElement("small");
      name.textContent = (record.person ? "Person: " : "Step " + record.n + ": ") + record.text;
      small.textContent = (end ? end.text : "no end in the log") + (record.id ? " — " + record.id : "");
      li.className = !end ? "open" : end.ok ? "ok" : "bad";
      li.append(name, small);
    } else {
      const text = document.createElement("span");
      text.textContent = record.text;
      li.className = "note " + record.kind;
      li.append(text);
    }
    li.onclick = () => go(record.t);
    li.onkeydown = (event) => { if (event.key === "Enter") go(record.t); };
    rows.push([record.t, li]);
    ol.append(li);
  }
}

let shown = null;
function show() {
  $("seek").value = time;
  $("clock").textContent = clock(time) + " / " + clock(length);
  let row = null;
  for (const [t, li] of rows) { if (t <= time) row = li; else break; }
  if (row !== shown) {
    if (shown) shown.classList.remove("on");
    if (row) { row.classList.add("on"); row.scrollIntoView({ block: "nearest" }); }
    shown = row;
    const step = steps[lastBefore(steps, time)], end = step && ends.get(step.n);
    $("now").textContent = step ? step.text + (end ? " — " + end.text : "") : "";
  }
}

function go(t) {
  time = Math.min(Math.max(0, t), length);
  show();
  return draw();
}

let last = 0;
function play(isPlaying) {
  const button = $("play");
  button.setAttribute("aria-pressed", isPlaying);
  button.textContent = isPlaying ? "Pause" : "Play";
  if (!isPlaying) return;
  if (time >= length) time = 0;
  last = performance.now();
  requestAnimationFrame(tick);
}
const isPlaying = () => $("play").getAttribute("aria-pressed") === "true";
const times = records.map((r) => r.t).sort((a, b) => a - b);
function tick(now) {
  if (!isPlaying()) return;
  let next = time + (now - last) / 1000 * Number($("speed").value);
  last = now;
  if ($("skip").checked) {
    const ahead = times.find((t) => t > time);
    const behind = times.filter((t) => t <= time).pop() || 0;
    if (ahead !== undefined && time - behind > PAUSE && ahead - time > PAUSE) next = ahead - 0.3;
  }
  go(next);
  if (time >= length) play(false); else requestAnimationFrame(tick);
}

$("play").onclick = () => play(!isPlaying());
$("seek").max = length;
$("seek").oninput = () => go(Number($("seek").value));
const jump = (by) => {
  const index = lastBefore(steps, time) + (by > 0 ? 1 : steps[lastBefore(steps, time)]?.t < time - 0.01 ? 0 : -1);
  go(index < 0 ? 0 : index < steps.length ? steps[index].t : length);
};
$("back").onclick = () => jump(-1);
$("next").onclick = () => jump(1);
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "SELECT" || event.target.tagName === "INPUT") return;
  if (event.key === " ") { event.preventDefault(); play(!isPlaying()); }
  if (event.key === "ArrowRight") jump(1);
  if (event.key === "ArrowLeft") jump(-1);
});
$("title").textContent = start.name || "Run on " + (start.display || "a desktop");
const began = start.began ? new Date(start.began).toLocaleString() + ", " : "";
const refused = steps.filter((s) => ends.get(s.n)?.refused).length;
$("about").textContent = began + steps.length + " steps" + (refused ? ", " + refused + " refused" : "") + ", " + clock(length) + ", deskd " + (start.version || "");
document.title = $("title").textContent + " — deskd";
list();
// A link may name a time in seconds, or a step: #t=12.5, #step=3.
function follow() {
  const [, kind, number] = /^#(t|step)=([0-9.]+)$/.exec(location.hash) || [];
  const wanted = Number(number);
  const step = kind === "step" && (ends.get(wanted) || steps.find((s) => s.n === wanted));
  if (step) return go(step.t);
  if (kind === "t") return go(Number(number));
  return go(screens.length ? screens[0].t : 0);
}
window.addEventListener("hashchange", follow);
follow();
