const { classes, counts, photographs: listed, curves, surest, doubtful, hint } = JSON.parse(document.getElementById("page-data").textContent);
const photographs = listed.map(([name, label, predicted, probability, ofTruth, picture, heat]) => ({ name, label, predicted, probability, ofTruth, picture, heat }));
const caption = one => one.label === one.predicted
  ? [line([[classes[one.predicted], true], [" " + sure(one.probability), false]])]
  : [line([["taken for ", false], [classes[one.predicted], true], [" " + sure(one.probability), false]]), line([["is ", false], [classes[one.label], true], [" " + sure(one.ofTruth), false]])];

const place = document.getElementById("curves-of-run");
if (place && curves.charts.length) drawCurves(place, curves);

for (const [id, positions] of [["surest", surest], ["doubtful", doubtful]]) {
  const grid = document.getElementById(id);
  if (grid) grid.append(...positions.map(position => photographs[position]).filter(one => one.picture).map(one => figureOf(one, caption)));
}

function openCell(label, predicted) {  // null: any class
  const fits = one => (label === null || one.label === label) && (predicted === null || one.predicted === predicted);
  const title = label === null && predicted === null ? "All photographs"
    : label === null ? "Taken for " + classes[predicted] : predicted === null ? "Photographs of " + classes[label]
    : label === predicted ? classes[label] + ", recognised" : classes[label] + ", taken for " + classes[predicted];
  let total = 0;
  for (const [row, column, count] of counts) if ((label === null || row === label) && (predicted === null || column === predicted)) total += count;
  openPhotographs(title + ": " + total.toLocaleString("en"), photographs.filter(fits), total, caption, hint);
}

const table = document.querySelector(".matrix table");
if (table) {
  const rows = [...table.tBodies[0].rows].map(row => [...row.querySelectorAll("button")]);
  const all = rows.flat().filter(button => !button.disabled);
  const focusOn = button => { for (const one of all) one.tabIndex = one === button ? 0 : -1; };
  focusOn(all[0]);
  table.addEventListener("focusin", event => { if (all.includes(event.target)) focusOn(event.target); });
  table.addEventListener("keydown", event => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    let row = rows.findIndex(one => one.includes(event.target)), column = row < 0 ? -1 : rows[row].indexOf(event.target);
    if (row < 0) return;
    event.preventDefault();
    do { row += step[0]; column += step[1]; } while (rows[row] && rows[row][column] && rows[row][column].disabled);
    if (rows[row] && rows[row][column]) rows[row][column].focus();
  });
}
for (const button of document.querySelectorAll("button[data-cell]"))
  button.addEventListener("click", () => openCell(...button.dataset.cell.split(",").map(Number)));

const heat = document.querySelector(".heat svg");
if (heat) heat.addEventListener("click", event => { if (event.target.dataset.cell) openCell(...event.target.dataset.cell.split(",").map(Number)); });
const choice = document.getElementById("choice");
if (choice) choice.addEventListener("submit", event => {
  event.preventDefault();
  const value = name => choice.elements[name].value === "" ? null : Number(choice.elements[name].value);
  openCell(value("label"), value("predicted"));
});
