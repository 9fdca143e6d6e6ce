"use strict";
// The key stands behind the hash: it is in no request line, no log and no history of a proxy.
const SECONDS = 10, RATE = 100, WIDTH = SECONDS * RATE;
const canvas = document.getElementById("traces"), pen = canvas.getContext("2d");
const said = (id, text, level) => {
  const place = document.getElementById(id);
  place.textContent = text;
  if (level !== undefined) place.className = level;
};
let names = [], session = 0, every = 1, columns = new Map(), newest = -1, lane = 100, offsets = [], heard = 0, dirty = true;
const watched = window.bcikit = { frames: 0, drawn: 0, stale: "", columns: 0, refused: false };

function veil(text) {
  watched.stale = text;
  document.getElementById("veil").hidden = !text;
  if (text) said("why", "■ NO NEW VALUES\n" + text);
}

function take(frame) {
  heard = performance.now();
  watched.frames += 1;
  if (frame.session !== session || frame.names.join() !== names.join()) {
    session = frame.session;
    every = frame.every;
    names = frame.names;
    columns = new Map();
    offsets = [];
    newest = -1;
  }
  for (const [number, low, high] of frame.columns) {
    columns.set(number, [low, high]);
    columns.delete(number - WIDTH - 50);
    newest = Math.max(newest, number);
    watched.columns += 1;
  }
  said("state", frame.strip.state, frame.strip.level);
  said("advice", frame.strip.advice);
  said("electrode", frame.strip.electrode);
  said("loss", frame.strip.loss);
  said("latency", frame.strip.latency);
  said("title", frame.title);
  veil(frame.stale);
  dirty = true;
}

function settle() {
  // The middle of what is in view is drawn at the middle of the lane: electrodes have offsets.
  for (let trace = 0; trace < names.length; trace += 1) {
    const seen = [];
    for (let number = newest - WIDTH; number <= newest; number += every > 1 ? 1 : 20) {
      const column = columns.get(number);
      if (column && column[0][trace] !== null) seen.push((column[0][trace] + column[1][trace]) / 2);
    }
    seen.sort((a, b) => a - b);
    const middle = seen.length ? seen[seen.length >> 1] : 0;
    if (offsets[trace] === undefined || Math.abs(middle - offsets[trace]) > lane * 0.5) offsets[trace] = middle;
  }
}

function draw() {
  requestAnimationFrame(draw);
  if (performance.now() - heard > 1000) veil(watched.refused ? "The key is wrong" : "Nothing is heard from the ward server");
  if (!dirty) return;
  dirty = false;
  watched.drawn += 1;
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  pen.fillStyle = "#1c2229";
  pen.fillRect(0, 0, width, height);
  if (!names.length) return;
  if (watched.drawn % 25 === 1) settle();
  const left = 70 * ratio, room = height / names.length, step = (width - left) / WIDTH;
  pen.strokeStyle = "#b9cbdc";
  pen.lineWidth = Math.max(1, ratio * 0.8);
  pen.font = Math.max(8, Math.min(14, room * 0.9 / ratio)) * ratio + "px system-ui";
  pen.textBaseline = "middle";
  for (let trace = 0; trace < names.length; trace += 1) {
    const middle = (trace + 0.5) * room, zero = offsets[trace] || 0;
    pen.beginPath();
    let before = false, last = 0;
    for (let place = 0; place < WIDTH; place += 1) {
      const column = columns.get(newest - WIDTH + 1 + place);
      if (!column && place - last <= every) continue;
      if (!column || column[0][trace] === null) { before = false; continue; }
      last = place;
      const x = left + place * step;
      const top = middle - (column[1][trace] - zero) / lane * room, low = middle - (column[0][trace] - zero) / lane * room;
      if (before) pen.lineTo(x, top); else pen.moveTo(x, top);
      pen.lineTo(x, low);
      before = true;
    }
    pen.stroke();
    pen.fillStyle = "#e8ecf0";
    if (room > 9 * ratio || trace % Math.ceil(9 * ratio / room) === 0) pen.fillText(names[trace], 6 * ratio, middle);
  }
}

async function listen() {
  for (;;) {
    try {
      const answer = await fetch("/frames", { headers: { Authorization: "Bearer " + location.hash.slice(1) } });
      watched.refused = answer.status === 403;
      if (watched.refused) { veil("The key is wrong"); return; }
      const reader = answer.body.getReader(), text = new TextDecoder();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const lines = (rest + text.decode(value, { stream: true })).split("\n");
        rest = lines.pop();
        for (const line of lines) if (line) take(JSON.parse(line));
      }
    } catch (error) {
      veil("Nothing is heard from the ward server");
    }
    await new Promise(done => setTimeout(done, 500));
  }
}

const SCALES = [5, 10, 20, 50, 100, 200, 500, 1000, 5000];
const scale = by => {
  lane = SCALES[Math.max(0, Math.min(SCALES.length - 1, SCALES.indexOf(lane) + by))];
  said("scale", lane + " µV");
  dirty = true;
};
document.getElementById("larger").onclick = () => scale(-1);
document.getElementById("smaller").onclick = () => scale(1);
window.onresize = () => { dirty = true; };
listen();
draw();
