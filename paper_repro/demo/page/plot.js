// Drawing: line plots and bars as SVG, made of what a screen reader and a style sheet understand.
"use strict";

/**
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {(Node | string)[]} [children]
 * @returns {SVGElement}
 */
function svg(tag, attributes = {}, children = []) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {(Node | string)[]} [children]
 * @returns {HTMLElement}
 */
function html(tag, attributes = {}, children = []) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

/**
 * @param {number} value
 * @param {number} [digits] Significant ones.
 * @returns {string} For reading; a dash for what is no number.
 */
function shown(value, digits = 3) {
  if (!Number.isFinite(value)) {
    return "–";
  }
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e5)) {
    return value.toExponential(1);
  }
  return String(Number(value.toPrecision(digits)));
}

/**
 * A number that tests, and readers who want all digits, can take from the page.
 * @param {string} name
 * @param {number} value
 * @param {number} [digits]
 * @param {boolean} [asPercent]
 * @returns {HTMLElement}
 */
function numberShown(name, value, digits = 3, asPercent = false) {
  const text = asPercent ? `${shown(100 * value, digits)} %` : shown(value, digits);
  return html("span", { class: "number", "data-name": name, "data-value": value, title: String(value) }, [text]);
}

/**
 * @param {number} low
 * @param {number} high
 * @param {number} count About how many.
 * @returns {number[]} Round numbers between the two.
 */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= rough) ?? unit;
  const found = [];
  for (let place = Math.ceil(low / step); place * step <= high + 1e-9 * step; place += 1) {
    found.push(Number((place * step).toPrecision(12)));
  }
  return found;
}

/**
 * @typedef {Object} Line
 * @property {string} label
 * @property {string} colour A CSS colour.
 * @property {ArrayLike<number>} values One for each x.
 * @property {string} [dash] As in stroke-dasharray.
 * @property {number} [width]
 * @property {number} [opacity]
 */

/**
 * @param {Object} plot
 * @param {string} plot.title What it shows, for readers who do not see it.
 * @param {string} plot.x
 * @param {string} plot.y
 * @param {Line[]} plot.lines
 * @param {number} plot.last The largest x; the smallest is 0.
 * @param {[number, number]} [plot.range] Of y.
 * @param {number} [plot.mark] A level that is marked.
 * @returns {SVGElement} A line plot whose x are 0, 1, 2, ...
 */
function linePlot({ title, x, y, lines, last, range = [0, 1], mark }) {
  const box = { width: 520, height: 250, left: 46, right: 12, top: 10, bottom: 40 };
  const [low, high] = range;
  /** @param {number} value */
  const across = (value) => box.left + (value / last) * (box.width - box.left - box.right);
  /** @param {number} value */
  const up = (value) => box.height - box.bottom - ((value - low) / (high - low)) * (box.height - box.top - box.bottom);

  const parts = [];
  for (const tick of ticks(low, high, 5)) {
    parts.push(svg("line", { class: "grid", x1: box.left, x2: box.width - box.right, y1: up(tick), y2: up(tick) }));
    parts.push(svg("text", { class: "tick", x: box.left - 6, y: up(tick) + 4, "text-anchor": "end" }, [String(tick)]));
  }
  for (const tick of ticks(0, last, 6)) {
    const place = { class: "tick", x: across(tick), y: box.height - box.bottom + 16, "text-anchor": "middle" };
    parts.push(svg("text", place, [String(tick)]));
  }
  if (mark !== undefined) {
    parts.push(svg("line", { class: "mark", x1: box.left, x2: box.width - box.right, y1: up(mark), y2: up(mark) }));
  }

  for (const line of lines) {
    const points = Array.from(line.values, (value, place) => `${across(place).toFixed(1)},${up(value).toFixed(2)}`);
    const style = `--colour:${line.colour}`;
    const look = { class: "curve", points: points.join(" "), style, "stroke-dasharray": line.dash ?? "" };
    parts.push(svg("polyline", { ...look, "stroke-width": line.width ?? 2.5, opacity: line.opacity ?? 1 }));
  }
  const middle = (box.left + box.width - box.right) / 2;
  parts.push(svg("text", { class: "axis", x: middle, y: box.height - 6, "text-anchor": "middle" }, [x]));
  const turn = `translate(13 ${(box.top + box.height - box.bottom) / 2}) rotate(-90)`;
  parts.push(svg("text", { class: "axis", transform: turn, "text-anchor": "middle" }, [y]));
  const view = { viewBox: `0 0 ${box.width} ${box.height}`, role: "img", "aria-label": title };
  return svg("svg", view, [svg("title", {}, [title]), ...parts]);
}

/**
 * @param {{label: string, colour: string, dash?: string}[]} entries
 * @returns {HTMLElement}
 */
function legend(entries) {
  const items = entries.map(({ label, colour, dash }) => {
    const line = svg("line", { x1: 0, x2: 24, y1: 5, y2: 5, class: "curve", "stroke-width": 3, "stroke-dasharray": dash ?? "" });
    const key = svg("svg", { viewBox: "0 0 24 10", class: "key", "aria-hidden": "true", style: `--colour:${colour}` }, [line]);
    return html("li", {}, [key, label]);
  });
  return html("ul", { class: "legend" }, items);
}

/**
 * @param {Object} plot
 * @param {string} plot.title
 * @param {string} plot.x
 * @param {string} plot.y
 * @param {string[]} plot.groups Names along x.
 * @param {{label: string, colour: string, values: ArrayLike<number>}[]} plot.bars One value for each group.
 * @returns {SVGElement} Bars side by side.
 */
function barPlot({ title, x, y, groups, bars }) {
  const box = { width: 520, height: 230, left: 52, right: 12, top: 10, bottom: 40 };
  const all = bars.flatMap((bar) => Array.from(bar.values));
  const high = Math.max(...all, 1e-12);
  const low = Math.min(...all, 0);
  /** @param {number} value */
  const up = (value) => box.height - box.bottom - ((value - low) / (high - low)) * (box.height - box.top - box.bottom);
  const slot = (box.width - box.left - box.right) / groups.length;
  const width = (0.8 * slot) / bars.length;

  const parts = [];
  for (const tick of ticks(low, high, 4)) {
    parts.push(svg("line", { class: "grid", x1: box.left, x2: box.width - box.right, y1: up(tick), y2: up(tick) }));
    parts.push(svg("text", { class: "tick", x: box.left - 6, y: up(tick) + 4, "text-anchor": "end" }, [shown(tick, 2)]));
  }
  groups.forEach((name, group) => {
    const left = box.left + (group + 0.1) * slot;
    bars.forEach((bar, place) => {
      const top = Math.min(up(bar.values[group]), up(0));
      const size = { x: left + place * width, y: top, width, height: Math.max(Math.abs(up(bar.values[group]) - up(0)), 0.5) };
      parts.push(svg("rect", { class: "bar", style: `--colour:${bar.colour}`, ...size }));
    });
    const place = { class: "tick", x: left + 0.4 * slot, y: box.height - box.bottom + 16, "text-anchor": "middle" };
    parts.push(svg("text", place, [name]));
  });
  parts.push(svg("text", { class: "axis", x: (box.left + box.width) / 2, y: box.height - 6, "text-anchor": "middle" }, [x]));
  const turn = `translate(13 ${(box.top + box.height - box.bottom) / 2}) rotate(-90)`;
  parts.push(svg("text", { class: "axis", transform: turn, "text-anchor": "middle" }, [y]));
  const view = { viewBox: `0 0 ${box.width} ${box.height}`, role: "img", "aria-label": title };
  return svg("svg", view, [svg("title", {}, [title]), ...parts]);
}
