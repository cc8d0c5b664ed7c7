// The segmented picture: overlay, legend, heat maps and pixels. `element`, `trigger`, `props` and
// `watch` are given by gr.HTML. Text from outside goes into the page as textContent only. `teach.js`
// goes on where this ends.
const find = (selector) => element.querySelector(selector);
const root = find(".viewer"), canvas = find("canvas"), tip = find(".tip"), message = find(".message");
const notes = find(".answered");
const context = canvas.getContext("2d", { willReadFrequently: true });
const state = { picture: null, map: null, labels: [], heat: null, marked: -1, at: null, opacity: 0.55,
  lines: [], painting: false };
let latest = 0;

async function pixels(source) {
  const blob = await (await fetch(source)).blob();
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const scratch = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  scratch.drawImage(bitmap, 0, 0);
  return scratch.getImageData(0, 0, bitmap.width, bitmap.height);
}

function draw() {
  if (!state.picture) return;
  const { width, height, data } = state.picture;
  const mixed = new ImageData(width, height), out = mixed.data;
  for (let i = 0; i < out.length; i += 4) {
    const label = state.map.data[i];
    let share = state.opacity, colour = state.labels[label].color, at = 0, grey = -1;
    if (state.heat) {
      colour = state.heat.data;
      at = i;
      grey = 0.3 * data[i] + 0.59 * data[i + 1] + 0.11 * data[i + 2];
    } else if (state.marked >= 0) {
      share = label === state.marked ? Math.max(share, 0.75) : 0.1;
    }
    for (let c = 0; c < 3; c++)
      out[i + c] = (1 - share) * (grey < 0 ? data[i + c] : grey) + share * colour[at + c];
    out[i + 3] = 255;
  }
  canvas.width = width;
  canvas.height = height;
  context.putImageData(mixed, 0, 0);
  drawMarks();
  if (state.at) cross(...state.at);
}

function cross(x, y) {
  const arm = Math.max(6, canvas.width / 60);
  for (const [style, line] of [["white", 4], ["black", 2]]) {
    context.strokeStyle = style;
    context.lineWidth = line * Math.max(1, canvas.width / 600);
    context.beginPath();
    context.moveTo(x + 0.5 - arm, y + 0.5);
    context.lineTo(x + 0.5 + arm, y + 0.5);
    context.moveTo(x + 0.5, y + 0.5 - arm);
    context.lineTo(x + 0.5, y + 0.5 + arm);
    context.stroke();
  }
}

function fill(table, rows) {
  find(table).hidden = false;
  find(table + " tbody").replaceChildren(...rows.map(([head, value]) => {
    const row = document.createElement("tr"), cells = [head, value].map((content) => {
      const cell = row.appendChild(document.createElement("td"));
      cell.append(content);
      return cell;
    });
    cells[0].className = "name";
    cells[0].title = cells[0].textContent;
    return row;
  }));
}

const percent = (share) => (share > 0 && share < 0.0005 ? "< 0.1" : (100 * share).toFixed(1)) + " %";

function legend() {
  fill(".legend", state.labels.map((label, index) => {
    const button = document.createElement("button");
    const swatch = button.appendChild(document.createElement("span"));
    swatch.className = "swatch";
    swatch.style.background = `rgb(${label.color.join()})`;
    button.appendChild(document.createElement("span")).textContent = label.name;
    button.type = "button";
    button.setAttribute("aria-pressed", state.heat?.index === index);
    const mark = (value) => () => { state.marked = value; draw(); };
    button.onpointerenter = button.onfocus = mark(index);
    button.onpointerleave = button.onblur = mark(-1);
    button.onclick = () => (state.heat?.index === index ? cool() : trigger("heat", { index }));
    return [button, percent(label.share)];
  }));
}

function press() {
  element.querySelectorAll(".legend button").forEach((button, index) =>
    button.setAttribute("aria-pressed", state.heat?.index === index));
  root.dataset.heat = state.heat ? state.heat.index : "";
  draw();
}

function cool() {
  state.heat = null;
  press();
}

function pixelTables(pixel) {
  find(".where").textContent = `Column ${pixel.x}, row ${pixel.y}`;
  fill(".own", pixel.labels.map(([name, share]) => [name, percent(share)]));
  fill(".known", pixel.vocabulary.map(([name, share]) => [name, percent(share)]));
}

function forgetPixel() {
  state.at = null;
  find(".own").hidden = find(".known").hidden = true;
  find(".where").textContent =
    "Click the picture; or focus it, move with the arrow keys, and press Enter.";
}

async function show(answer) {
  const turn = ++latest;
  if (answer.taught) taughtList(answer.taught);
  if (answer.learnt) state.lines = []; // now, as a later answer may overtake the rest of this one
  const [picture, map, heat] = await Promise.all(
    [answer.picture, answer.map, answer.heat?.source].map((source) => source && pixels(source)));
  if (turn !== latest) return; // a later answer has come meanwhile
  message.hidden = !answer.message;
  message.textContent = answer.message ?? "";
  if (answer.empty) {
    state.picture = null;
    notes.hidden = true;
    root.classList.add("empty");
  }
  if (picture) {
    const other = answer.key !== root.dataset.key;
    Object.assign(state, { picture, map, labels: answer.labels, heat: null, marked: -1 });
    notes.hidden = !answer.notes.length;
    notes.textContent = answer.notes.join("; ");
    root.dataset.key = answer.key;
    root.dataset.heat = "";
    root.classList.remove("empty");
    if (other) forgetPixel();
    legend();
    if (other) wipeMarks();
    else marksChanged();
    if (state.at) trigger("pixel", { x: state.at[0], y: state.at[1] });
  }
  if (heat) {
    state.heat = Object.assign(heat, { index: answer.heat.index });
    press();
  }
  if (answer.pixel) pixelTables(answer.pixel);
  root.dataset.stamp = answer.stamp;
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  const scale = Math.min(box.width / canvas.width, box.height / canvas.height);
  const left = (box.width - scale * canvas.width) / 2, top = (box.height - scale * canvas.height) / 2;
  const x = Math.floor((event.clientX - box.left - left) / scale);
  const y = Math.floor((event.clientY - box.top - top) / scale);
  return x >= 0 && y >= 0 && x < canvas.width && y < canvas.height ? [x, y] : null;
}

function name(x, y, left, top) {
  const label = state.labels[state.map.data[4 * (y * canvas.width + x)]];
  tip.textContent = label.name;
  tip.style.left = `min(${left + 14}px, calc(100% - 8rem))`;
  tip.style.top = `${Math.max(0, top - 30)}px`;
  tip.hidden = false;
}

function ask(x, y) {
  state.at = [x, y];
  draw();
  trigger("pixel", { x, y });
}

canvas.onpointermove = (event) => {
  const at = place(event);
  if (at) name(...at, event.offsetX, event.offsetY);
  else tip.hidden = true;
};
canvas.onpointerleave = canvas.onblur = () => { tip.hidden = true; };
canvas.onclick = (event) => {
  const at = place(event);
  if (at && !state.painting) ask(...at);
};
canvas.onkeydown = (event) => {
  const step = event.shiftKey ? 1 : Math.max(1, Math.round(canvas.width / 50));
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  const [x, y] = state.at ?? [canvas.width >> 1, canvas.height >> 1];
  if (event.key === "Escape") cool();
  else if (event.key === "Enter" || event.key === " ") (state.painting ? mark : ask)(x, y);
  else if (event.key in moves) {
    const [right, down] = moves[event.key];
    state.at = [
      Math.min(canvas.width - 1, Math.max(0, x + right)),
      Math.min(canvas.height - 1, Math.max(0, y + down)),
    ];
    draw();
    const box = canvas.getBoundingClientRect();
    name(...state.at, (state.at[0] / canvas.width) * box.width, (state.at[1] / canvas.height) * box.height);
  } else return;
  event.preventDefault();
};
element.addEventListener("opacity", (event) => {
  state.opacity = event.detail;
  draw();
});
