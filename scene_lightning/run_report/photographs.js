// Photographs: figures with file names and probabilities, in the page and in a dialog that a cell or a button opens.
const sure = value => { const shown = (100 * value).toFixed(1); return (value < 1 && shown === "100.0" ? "99.9" : shown) + "\u00a0%"; };

function figureOf(photograph, caption) {
  const figure = document.createElement("figure"), image = document.createElement("img"), text = document.createElement("figcaption");
  image.src = photograph.picture;
  image.alt = photograph.name;
  image.decoding = "async";
  const file = document.createElement("span");
  file.className = "file";
  file.textContent = photograph.name.split("/").pop();
  file.title = photograph.name;
  text.append(...caption(photograph), file);
  figure.append(image);
  if (photograph.heat) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Heat map";
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      image.src = on ? photograph.heat : photograph.picture;
    });
    figure.append(button);
  }
  figure.append(text);
  return figure;
}

function line(parts) {  // [text, strong] pairs -> a block of caption
  const block = document.createElement("span");
  block.style.display = "block";
  for (const [text, strong] of parts) {
    const part = document.createElement(strong ? "b" : "span");
    part.textContent = text;
    block.append(part);
  }
  return block;
}

const dialog = document.getElementById("photographs");
const STEP = 60;

function openPhotographs(title, photographs, total, caption, hint) {
  const grid = dialog.querySelector(".photographs"), more = dialog.querySelector("button[value=more]"), rest = dialog.querySelector(".rest");
  const order = dialog.querySelector("select"), note = dialog.querySelector(".note-of");
  const drawn = photographs.filter(one => one.picture), named = photographs.filter(one => !one.picture);
  dialog.querySelector("h2").textContent = title;
  let shown = 0;
  const by = { surest: (a, b) => b.probability - a.probability, doubtful: (a, b) => a.probability - b.probability, name: (a, b) => a.name < b.name ? -1 : 1 };
  const add = () => {
    grid.append(...drawn.slice(shown, shown + STEP).map(one => figureOf(one, caption)));
    shown = Math.min(shown + STEP, drawn.length);
    more.hidden = shown >= drawn.length;
    more.textContent = "Show " + Math.min(STEP, drawn.length - shown) + " more of " + drawn.length;
  };
  const fill = () => { drawn.sort(by[order.value]); grid.replaceChildren(); shown = 0; add(); };
  order.onchange = fill;
  more.onclick = add;
  fill();
  note.textContent = drawn.length === total ? "" : drawn.length + " of " + total + " with a picture." + (hint ? " " + hint : "");
  rest.hidden = !named.length && photographs.length >= total;
  rest.open = false;
  rest.querySelector("summary").textContent = named.length + (total > photographs.length ? " of the others" : " more") + ", by name";
  const list = rest.querySelector("ul");
  list.replaceChildren(...named.sort(by.surest).slice(0, 1000).map(one => {
    const item = document.createElement("li");
    item.textContent = one.name + ": " + caption(one).map(block => block.textContent).join(", ");
    return item;
  }));
  dialog.showModal();
  dialog.scrollTop = 0;
}
dialog.querySelector("button[value=close]").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
