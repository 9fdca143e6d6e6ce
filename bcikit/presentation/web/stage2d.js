// Draws the shapes of a scene on a canvas: the same list that the Qt window draws (bcikit.presentation.layout).
import { drawHand } from "./hand2d.js";

export const WIDTH = 1600;
export const HEIGHT = 900;
const PATCH = 60; // pixels, lower left: for a photodiode
const FONT = "'Noto Sans', 'Noto Sans CJK SC', 'Segoe UI', 'Microsoft YaHei', 'PingFang SC', Helvetica, sans-serif";
const FLASH = "#ffffff";
const TARMAC = "#2c3238";
const PARTS = /[\u2e80-\u9fff\uff00-\uffef]|[^\s\u2e80-\u9fff\uff00-\uffef]+|\s+/g;
const AGAIN = 5000; // milliseconds after which a film that could not be had is asked for once more
const films = new Map();

/** The grey whose light is `level` (0 to 1) on an sRGB screen. */
export function shade(level) {
  const value = Math.round(255 * (level <= 0.0031308 ? 12.92 * level : 1.055 * level ** (1 / 2.4) - 0.055));
  return `rgb(${value},${value},${value})`;
}

/** Size at which words fit into a box, and their lines: the rule of bcikit.presentation.lines. */
export function breakLines(text, width, height, size, widthOf) {
  const parts = text.match(PARTS) ?? [];
  for (;;) {
    let lines = [""];
    for (const part of parts) {
      const last = lines.length - 1;
      if (part.includes("\n")) lines.push("");
      else if (lines[last] && widthOf((lines[last] + part).trimEnd(), size) > width) lines.push(part.trimStart());
      else lines[last] += part;
    }
    lines = lines.filter((line) => line.trim()).map((line) => line.trimEnd());
    if (lines.length === 0) lines = [""];
    const fits = lines.length * 1.2 * size <= height && lines.every((line) => widthOf(line, size) <= width);
    if (fits || size < 8) return [size, lines];
    size *= 0.92;
  }
}

/** Top and height of each gap of the lane: bcikit.presentation.road. */
export function gaps(now, speed) {
  const driven = ((now * speed) / 3.6) % 9;
  const heightOf = (metres) => 380 + (330 * 6) / (6 + Math.max(metres, 0));
  const found = [];
  for (let number = 0; number < 12; number += 1) {
    const start = number * 9 - driven;
    if (start + 4.5 <= 0) continue;
    const [low, high] = [heightOf(start), heightOf(start + 4.5)];
    if (low - high >= 1) found.push([high, low - high]);
  }
  return found;
}

/** The sheet of a film, loaded once; null until it is there, without a picture where it cannot be had. */
function filmOf(name) {
  if (!films.has(name)) {
    films.set(name, null);
    const image = new Image();
    image.src = `/film/${encodeURIComponent(name)}.png`;
    fetch(`/film/${encodeURIComponent(name)}.json`)
      .then((answer) => answer.json())
      .then((about) => image.decode().then(() => films.set(name, { ...about, image })))
      .catch((error) => {
        console.error(`film ${name}: ${error}`);
        films.set(name, {});
        setTimeout(() => films.delete(name), AGAIN);
      });
  }
  return films.get(name);
}

export class Stage2D {
  /** `noFilm` is what stands in the place of a film that cannot be had. */
  constructor(canvas, language, noFilm = "") {
    this.canvas = canvas;
    this.noFilm = noFilm;
    this.pen = canvas.getContext("2d", { alpha: false, desynchronized: false });
    this.language = language;
    this.patch = false;
    this.places = {};
  }

  /** Draw what a presenter shows at `now`, seconds on the host's clock. */
  draw(presenter, now) {
    const { canvas, pen } = this;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const { drawn } = presenter;
    const shapes = drawn?.[this.language] ?? drawn?.en ?? [];
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = drawn?.back ?? "#101418";
    pen.fillRect(0, 0, width, height);
    const scale = Math.min(width / WIDTH, height / HEIGHT);
    const [left, top] = [(width - WIDTH * scale) / 2, (height - HEIGHT * scale) / 2];
    pen.setTransform(scale, 0, 0, scale, left, top);
    const levels = presenter.levels();
    this.places = {};
    for (const shape of shapes) {
      const [x, y, w, h] = this._shape(shape, presenter, now, levels);
      this.places[shape.id] = [left + x * scale, top + y * scale, w * scale, h * scale].map((value) => value / ratio);
    }
    if (this.patch) {
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.fillStyle = presenter.patch ? "#fff" : "#000";
      pen.fillRect(0, canvas.clientHeight - PATCH, PATCH, PATCH);
    }
  }

  _shape(shape, presenter, now, levels) {
    const { pen } = this;
    const live = shape.live ?? "";
    const what = live.slice(live.indexOf(":") + 1);
    let [x, y, w, h] = shape.box;
    let fill = shape.fill ?? "";
    let text = shape.text ?? "";
    let [dx, dy] = [0, 0];
    if (live.startsWith("lit:") && presenter.lit.has(what)) fill = FLASH;
    else if (live === "value:width") w *= Math.min(Math.max(presenter.value, 0), 1);
    else if (live === "value:rise") dy = -shape.number * Math.min(Math.max(presenter.value, 0), 1);
    else if (live === "position") dx = shape.number * Math.min(Math.max(presenter.position, -1), 1);
    else if (live === "plane") {
      dx = shape.number * Math.min(Math.max(presenter.position, -1), 1);
      dy = -shape.number * Math.min(Math.max(presenter.height, -1), 1);
    } else if (live === "countdown") text = presenter.countdown(shape.number, now);
    else if (live.startsWith("level:") && what in levels) fill = shade(levels[what]);
    [x, y] = [x + dx, y + dy];
    if (shape.do === "text") return this._text(shape, text, [x, y, w, h], fill);
    if (shape.do === "hand") drawHand(pen, [x, y, w, h], presenter.closure[shape.side], shape.side === "left");
    else if (shape.do === "film") this._film(shape, [x, y, w, h], now - presenter.since);
    else this._outline(shape, [x, y, w, h], [dx, dy], fill, now);
    return [x, y, w, h];
  }

  _outline(shape, [x, y, w, h], [dx, dy], fill, now) {
    const { pen } = this;
    pen.beginPath();
    if (shape.do === "rect") pen.roundRect(x, y, w, h, Math.min(shape.radius ?? 0, w / 2, h / 2));
    else if (shape.do === "ellipse") pen.ellipse(x + w / 2, y + h / 2, w / 2, h / 2, 0, 0, 2 * Math.PI);
    else if (shape.do === "polygon") {
      shape.points.forEach(([px, py], index) => (index ? pen.lineTo(px + dx, py + dy) : pen.moveTo(px + dx, py + dy)));
      pen.closePath();
    }
    if (fill) {
      pen.fillStyle = fill;
      pen.fill();
    }
    if (shape.line) {
      pen.strokeStyle = shape.line;
      pen.lineWidth = shape.thick;
      pen.stroke();
    }
    if (shape.live === "drive") {
      pen.fillStyle = TARMAC;
      for (const [top, high] of gaps(now, shape.number)) pen.fillRect(775, top, 50, high);
    }
  }

  _film(shape, [x, y, w, h], since) {
    const film = filmOf(shape.name);
    if (!film) return;
    if (!film.image) {
      this._text({ size: 60, bold: true }, this.noFilm, [x, y, w, h], FLASH);
      return;
    }
    const { pen } = this;
    const number = Math.floor(Math.max(since, 0) * film.rate + 1e-9) % film.frames;
    const [column, row] = [number % film.columns, Math.floor(number / film.columns)];
    pen.save();
    if (shape.side === "left") {
      pen.translate(2 * x + w, 0);
      pen.scale(-1, 1);
    }
    pen.drawImage(film.image, column * film.width, row * film.height, film.width, film.height, x, y, w, h);
    pen.restore();
  }

  _text(shape, text, [x, y, w, h], fill) {
    const { pen } = this;
    const weight = shape.bold ? 600 : 400;
    const widthOf = (part, size) => {
      pen.font = `${weight} ${Math.max(1, Math.round(size))}px ${FONT}`;
      return pen.measureText(part).width;
    };
    const [size, lines] = breakLines(text, w, h, shape.size, widthOf);
    const wide = Math.max(...lines.map((line) => widthOf(line, size)));
    const step = 1.2 * size;
    const top = y + h / 2 - (step * lines.length) / 2;
    pen.fillStyle = fill;
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    // The middle of ascent and descent of the font lies in the middle of the line, as Qt has it.
    const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = pen.measureText(lines[0]);
    lines.forEach((line, index) => pen.fillText(line, x + w / 2, top + (index + 0.5) * step + (up - down) / 2));
    return [x + w / 2 - wide / 2, top, wide, step * lines.length];
  }
}
