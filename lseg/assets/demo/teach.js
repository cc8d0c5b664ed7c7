
// Teaching by example: brush strokes on the picture, a name for them, and what was taught so far.
const title = find(".teach input"), paint = find(".paint"), wipe = find(".wipe");
const BRUSH = 40; // as in lseg/demo/marks.py
let stroke = null;

const brush = () => Math.max(1, Math.round(Math.max(canvas.width, canvas.height) / BRUSH));

function drawMarks() {
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = "rgb(255 255 0 / 0.9)";
  context.lineWidth = brush();
  for (const [first, ...rest] of state.lines) {
    context.beginPath();
    context.moveTo(first[0] + 0.5, first[1] + 0.5);
    context.lineTo(first[0] + 0.5, first[1] + 0.51); // a line of one point is a dot
    for (const [x, y] of rest) context.lineTo(x + 0.5, y + 0.5);
    context.stroke();
  }
}

function mark(x, y) {
  state.at = [x, y];
  state.lines.push([[x, y]]);
  marksChanged();
}

function wipeMarks() {
  state.lines = [];
  marksChanged();
}

function marksChanged() {
  root.dataset.marks = state.lines.length;
  wipe.disabled = !state.lines.length;
  draw();
}

function taughtList(taught) {
  find(".taught").hidden = !taught.length;
  find(".taught").replaceChildren(...taught.map(({ label, examples }) => {
    const item = document.createElement("li"), button = document.createElement("button");
    const name = item.appendChild(document.createElement("span"));
    name.className = "name";
    name.textContent = `${label}: ${examples} example${examples === 1 ? "" : "s"}`;
    item.appendChild(button).textContent = "Forget";
    button.type = "button";
    button.setAttribute("aria-label", `Forget ${label}`);
    button.onclick = () => trigger("forget", { label });
    return item;
  }));
}

paint.onclick = () => {
  state.painting = !state.painting;
  paint.setAttribute("aria-pressed", state.painting);
  root.classList.toggle("painting", state.painting); // or a finger would scroll the page
};
wipe.onclick = wipeMarks;
find(".teach").onsubmit = (event) => {
  event.preventDefault();
  const strokes = state.lines.length ? state.lines : state.at ? [[state.at]] : [];
  trigger("teach", { label: title.value, marks: { strokes, width: brush() } });
};
canvas.addEventListener("pointerdown", (event) => {
  const at = state.painting && event.button === 0 && place(event);
  if (!at) return;
  canvas.setPointerCapture(event.pointerId);
  mark(...at);
  stroke = state.lines.at(-1);
});
canvas.addEventListener("pointermove", (event) => {
  const at = stroke && place(event);
  if (!at) return;
  const [x, y] = stroke.at(-1), gap = brush() / 2; // no more points than the line needs
  if (Math.hypot(at[0] - x, at[1] - y) < gap) return;
  stroke.push(at);
  state.at = at;
  drawMarks();
});
for (const end of ["pointerup", "pointercancel"])
  canvas.addEventListener(end, () => { if (stroke) draw(); stroke = null; });

const update = () => props.value && show(props.value);
watch("value", update);
update();
