// Curves: charts of one range of epochs, which buttons, a drag or keys change; a slider reads the values of an epoch.
function drawCurves(place, { charts, best, bestLabel }) {
  const last = Math.max(...charts.flatMap(chart => chart.lines.map(line => line.values.length)));
  const HEIGHT = 230, LEFT = 52, RIGHT = 12, TOP = 14, BOTTOM = 30;
  let from = 1, to = Math.max(last, 2), at = best || last;
  const slider = place.querySelector("input[type=range]"), output = place.querySelector("output");
  const buttons = Object.fromEntries([...place.querySelectorAll(".controls button")].map(one => [one.value, one]));
  const holder = place.querySelector(".charts");
  slider.max = last;
  const make = (name, attributes, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const show = (value, unit) => value === null || value === undefined ? "–" : unit ? (100 * value).toFixed(1) + " %" : String(Number(value.toPrecision(4)));

  function ticks(low, high, count) {
    const raw = (high - low) / count || Math.abs(high) / count || 1, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map(one => one * power).find(one => one >= raw);
    const result = [];
    for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-9; value += step) result.push(value);
    return [result, step];
  }

  for (const chart of charts) {
    const figure = document.createElement("div");
    figure.className = "chart";
    const title = document.createElement("h3");
    title.textContent = chart.title;
    chart.svg = make("svg", { role: "img" });
    const legend = document.createElement("ul");
    legend.className = "legend";
    for (const line of chart.lines) {
      const item = document.createElement("li"), sign = make("svg", { viewBox: "0 0 32 10", "aria-hidden": "true" });
      sign.append(make("path", { d: "M0 5H32", class: "line" + (line.dashed ? " dashed" : ""), style: "stroke: var(--series-" + line.colour % 6 + ")" }));
      item.append(sign, line.label);
      legend.append(item);
    }
    figure.append(title, chart.svg, legend);
    holder.append(figure);
    let begun = null;
    const epochAt = event => {
      const box = chart.svg.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width * chart.width - LEFT) / (chart.width - LEFT - RIGHT);
      return from + Math.min(Math.max(share, 0), 1) * (to - from);
    };
    chart.svg.addEventListener("pointerdown", event => { if (event.pointerType === "mouse") { begun = epochAt(event); chart.svg.setPointerCapture(event.pointerId); event.preventDefault(); } });
    chart.svg.addEventListener("pointermove", event => {
      at = Math.min(Math.max(Math.round(epochAt(event)), 1), last);
      draw(begun === null ? null : [begun, epochAt(event)]);
    });
    chart.svg.addEventListener("pointerup", event => {
      const other = epochAt(event), [low, high] = [Math.min(begun ?? other, other), Math.max(begun ?? other, other)];
      begun = null;
      if (high - low > (to - from) / 40) zoom(low, high); else draw();
    });
    chart.svg.addEventListener("pointercancel", () => { begun = null; draw(); });
  }

  function drawChart(chart, band) {
    const width = chart.width = Math.max(chart.svg.clientWidth || 320, 200);
    chart.svg.setAttribute("viewBox", "0 0 " + width + " " + HEIGHT);
    const seen = chart.lines.flatMap(line => line.values.filter((value, i) => value !== null && i + 1 >= Math.floor(from) && i + 1 <= Math.ceil(to)));
    let low = Math.min(...seen), high = Math.max(...seen);
    if (!seen.length) [low, high] = [0, 1];
    if (low === high) [low, high] = low ? [low - Math.abs(low) / 2, high + Math.abs(high) / 2] : [0, 1];
    const pad = (high - low) * .06;
    low = low >= 0 && low - pad < 0 ? 0 : low - pad;
    high = chart.unit && high <= 1 ? Math.min(high + pad, 1) : high + pad;
    const x = epoch => LEFT + (epoch - from) / (to - from) * (width - LEFT - RIGHT);
    const y = value => TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM);
    const parts = [], clip = "clip-" + charts.indexOf(chart);
    const shape = make("clipPath", { id: clip });
    shape.append(make("rect", { x: LEFT - 4, y: 0, width: width - LEFT - RIGHT + 8, height: HEIGHT }));
    parts.push(shape);
    const [values, step] = ticks(low, high, 4);
    for (const value of values) {
      parts.push(make("path", { d: "M" + LEFT + " " + y(value) + "H" + (width - RIGHT), class: "grid" }));
      const digits = Math.max(0, Math.ceil(-Math.log10(step * (chart.unit ? 100 : 1)) - 1e-9));
      const label = chart.unit ? (100 * value).toFixed(digits) + " %" : high < .001 ? value.toExponential(1) : value.toFixed(digits);
      parts.push(make("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, label));
    }
    const [epochs, by] = ticks(from, to, Math.max(Math.min(width / 60, to - from), 1));
    for (const epoch of epochs) if (by >= 1 || Number.isInteger(Number(epoch.toFixed(6))))
      parts.push(make("text", { x: x(epoch), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, String(Math.round(epoch))));
    parts.push(make("path", { d: "M" + LEFT + " " + (HEIGHT - BOTTOM) + "H" + (width - RIGHT), class: "axis" }));
    if (best && best >= from && best <= to) {
      parts.push(make("path", { d: "M" + x(best) + " " + TOP + "V" + (HEIGHT - BOTTOM), class: "best" }));
      const left = x(best) > width - 70;
      parts.push(make("text", { x: x(best) + (left ? -4 : 4), y: TOP - 3, "text-anchor": left ? "end" : "start" }, "best: " + best));
    }
    if (at >= from && at <= to) parts.push(make("path", { d: "M" + x(at) + " " + TOP + "V" + (HEIGHT - BOTTOM), class: "cursor" }));
    if (band) parts.push(make("rect", { x: Math.min(...band.map(x)), y: TOP, width: Math.abs(x(band[0]) - x(band[1])), height: HEIGHT - TOP - BOTTOM, class: "band" }));
    for (const line of chart.lines) {
      const stroke = "stroke: var(--series-" + line.colour % 6 + ")";
      let path = "", open = false;
      line.values.forEach((value, i) => {
        if (value === null) { open = false; return; }
        path += (open ? "L" : "M") + x(i + 1).toFixed(1) + " " + y(value).toFixed(1);
        open = true;
      });
      parts.push(make("path", { d: path, class: "line" + (line.dashed ? " dashed" : ""), style: stroke, "clip-path": "url(#" + clip + ")" }));
      if (to - from <= 40) line.values.forEach((value, i) => {
        if (value !== null && i + 1 >= from && i + 1 <= to)
          parts.push(make("circle", { cx: x(i + 1), cy: y(value), r: i + 1 === at ? 4.5 : 2.5, style: "fill: var(--series-" + line.colour % 6 + ")" }));
      });
    }
    chart.svg.replaceChildren(...parts);
    chart.svg.setAttribute("aria-label", chart.title + ", epochs " + Math.ceil(from) + " to " + Math.floor(to) + ", from " + show(Math.min(...seen), chart.unit) + " to " + show(Math.max(...seen), chart.unit));
  }

  function draw(band) {
    for (const chart of charts) drawChart(chart, band);
    slider.value = at;
    const said = charts.map(chart => chart.title.toLowerCase() + " " + chart.lines.map(line => show(line.values[at - 1], chart.unit) + (chart.lines.length > 1 ? " (" + line.label + ")" : "")).join(", "));
    output.textContent = "Epoch " + at + (at === best ? " (best" + (bestLabel ? ", by " + bestLabel : "") + ")" : "") + ": " + said.join(" · ");
    slider.setAttribute("aria-valuetext", output.textContent);
    const whole = from <= 1 && to >= Math.max(last, 2);
    buttons.out.disabled = buttons.all.disabled = whole;
    buttons.in.disabled = to - from <= 1;
    buttons.earlier.disabled = from <= 1;
    buttons.later.disabled = to >= Math.max(last, 2);
  }

  function zoom(low, high) {
    const most = Math.max(last, 2), span = Math.min(Math.max(high - low, 1), most - 1);
    from = Math.min(Math.max((low + high - span) / 2, 1), most - span);
    to = from + span;
    draw();
  }

  const actions = {
    in: () => { const middle = Math.min(Math.max(at, from), to), span = (to - from) / 2; zoom(middle - span / 2, middle + span / 2); },
    out: () => { const middle = (from + to) / 2, span = (to - from) * 2; zoom(middle - span / 2, middle + span / 2); },
    earlier: () => zoom(from - (to - from) / 2, to - (to - from) / 2),
    later: () => zoom(from + (to - from) / 2, to + (to - from) / 2),
    all: () => zoom(1, Math.max(last, 2)),
  };
  for (const [value, button] of Object.entries(buttons)) button.addEventListener("click", actions[value]);
  slider.addEventListener("input", () => {
    at = Number(slider.value);
    if (at < from) zoom(at, at + (to - from)); else if (at > to) zoom(at - (to - from), at); else draw();
  });
  slider.addEventListener("keydown", event => {
    const action = { "+": "in", "=": "in", "-": "out", "0": "all" }[event.key];
    if (action) { actions[action](); event.preventDefault(); }
  });
  new ResizeObserver(() => draw()).observe(holder);
  draw();
}
