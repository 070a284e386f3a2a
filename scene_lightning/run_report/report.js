const { classes, counts, support, given, photographs: listed, curves, surest, missed, doubtful, hint, several } = JSON.parse(document.getElementById("page-data").textContent);
const NOTHING = classes.length;  // the last row and column of a matrix of several labels
const photographs = listed.map(([name, hits, wrong, missed, probability, picture, heat]) => ({ name, hits, wrong, missed, probability, picture, heat }));
const lines = (before, chances) => chances.map(([number, chance]) => line([[before, false], [classes[number], true], [" " + sure(chance), false]]));
const caption = one => {
  const all = [...lines("", one.hits), ...lines(several ? "wrongly " : "taken for ", one.wrong), ...lines(several ? "missed " : "is ", one.missed)];
  return all.length ? all : [line([["no label", false]])];
};

const place = document.getElementById("curves-of-run");
if (place && curves.charts.length) drawCurves(place, curves);

for (const [id, positions] of [["surest", surest], ["missed", missed], ["doubtful", doubtful]]) {
  const grid = document.getElementById(id);
  if (grid) grid.append(...positions.map(position => photographs[position]).filter(one => one.picture).map(one => figureOf(one, caption)));
}

const has = (chances, wanted) => chances.some(([number]) => number === wanted);

function openCell(label, predicted) {  // null: any class
  const any = label === null && predicted === null, count = counts.find(([row, column]) => row === label && column === predicted);
  let fits, title, total = count ? count[2] : 0;
  if (any) [fits, title, total] = [() => true, "All photographs", photographs.length];
  else if (label === null) {
    fits = one => predicted === NOTHING ? !one.wrong.length : has(one.hits, predicted) || has(one.wrong, predicted);
    title = predicted === NOTHING ? "No label wrongly given" : several ? classes[predicted] + ", given" : "Taken for " + classes[predicted];
    total = predicted === NOTHING ? photographs.filter(fits).length : given[predicted];
  } else if (predicted === null) {
    fits = one => label === NOTHING ? !one.missed.length : has(one.hits, label) || has(one.missed, label);
    title = label === NOTHING ? "No label missed" : "Photographs of " + classes[label];
    total = label === NOTHING ? photographs.filter(fits).length : support[label];
  } else if (label === predicted) {
    fits = one => has(one.hits, label);
    title = classes[label] + (several ? ", given rightly" : ", recognised");
  } else {
    fits = one => (label === NOTHING ? !one.missed.length : has(one.missed, label)) && (predicted === NOTHING ? !one.wrong.length : has(one.wrong, predicted));
    title = !several ? classes[label] + ", taken for " + classes[predicted]
      : (label === NOTHING ? "Nothing" : classes[label]) + " missed, " + (predicted === NOTHING ? "nothing" : classes[predicted]) + " wrongly given";
  }
  openPhotographs(title + ": " + total.toLocaleString("en"), photographs.filter(fits), total, caption, hint);
}
for (const button of document.querySelectorAll("button[data-of]")) {
  const [kind, number] = button.dataset.of.split(",");
  button.addEventListener("click", () => openPhotographs(button.getAttribute("aria-label"), photographs.filter(one => has(one[kind], Number(number))),
    Number(button.textContent.replaceAll(",", "")), caption, hint));
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
