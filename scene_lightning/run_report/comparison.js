const { curves, runs, photographs: listed, sets } = JSON.parse(document.getElementById("page-data").textContent);
const photographs = listed.map(([name, truth, picture, answers]) => ({ name, truth, picture, answers, probability: Math.max(...answers.map(one => one ? one[1] : 0)) }));
const caption = one => [line([["is ", false], [one.truth, true]]),
  ...runs.map((run, i) => one.answers[i] ? line([[run + ": ", false], [one.answers[i][0], one.answers[i][0] === one.truth], [" " + sure(one.answers[i][1]), false]]) : line([[run + ": no answer", false]]))];

const place = document.getElementById("curves-of-run");
if (place && curves.charts.length) drawCurves(place, curves);
for (const button of document.querySelectorAll("button[data-set]")) {
  const set = sets[Number(button.dataset.set)];
  button.addEventListener("click", () => openPhotographs(set.title + ": " + set.total.toLocaleString("en"), set.positions.map(i => photographs[i]), set.total, caption, ""));
}
for (const grid of document.querySelectorAll("[data-shown]")) {
  const set = sets[Number(grid.dataset.shown)];
  grid.append(...set.positions.map(i => photographs[i]).filter(one => one.picture).slice(0, 12).map(one => figureOf(one, caption)));
}
