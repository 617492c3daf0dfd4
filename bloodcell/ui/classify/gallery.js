// The gallery of cells: shows tiles, takes clicks and keys, and sends the reviews to the server (outbox.js).
//
// A label is shown at once, marked as being saved until the server has acknowledged it, and belongs to the cell that was
// marked when the key went down.

const FIELDS = ["INPUT", "TEXTAREA", "SELECT"];

function element(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text; // never innerHTML: names of files come from outside
  return node;
}

class Gallery {
  constructor(root) {
    this.grid = root.querySelector(".grid");
    this.preview = root.querySelector(".preview");
    this.heading = root.querySelector(".heading");
    this.subline = root.querySelector(".subline");
    this.choices = root.querySelector(".choices");
    this.steps = root.querySelector(".steps");
    this.pager = root.querySelector(".pager");
    this.turners = root.querySelector(".turners");
    this.notice = root.querySelector(".notice");
    this.saving = root.querySelector(".saving");
    this.outbox = new Outbox(() => this.drawNotice());
    this.nodes = new Map();
    this.drawn = new Map();
    this.chosen = null;
    this.turning = false; // a page was asked for and is not here yet: decisions would hit the wrong cell
    this.onKey = (event) => this.key(event);
    this.onPointer = (event) => {
      if (!event.composedPath().includes(root)) this.outbox.flush();
    };
    this.grid.addEventListener("click", (event) => {
      const tile = event.target.closest(".tile");
      if (tile) this.take(() => this.choose(Number(tile.dataset.cell)));
    });
  }

  start() {
    this.outbox.start();
    document.addEventListener("keydown", this.onKey, true);
    document.addEventListener("pointerdown", this.onPointer, true);
  }

  stop() {
    this.outbox.stop();
    document.removeEventListener("keydown", this.onKey, true);
    document.removeEventListener("pointerdown", this.onPointer, true);
  }

  update(data, send) {
    this.data = data;
    this.outbox.receive(data, send);
    const ids = data.tiles.map((tile) => tile.cell).join();
    const newPage = ids !== this.ids;
    if (newPage) this.layTiles(ids);
    if (!this.outbox.events.length || newPage) {
      this.chosen = data.chosen;
      this.turning = false;
    }
    this.drawChoices();
    this.draw(newPage);
  }

  layTiles(ids) {
    this.ids = ids;
    this.drawn.clear();
    this.nodes.clear();
    for (const tile of this.data.tiles) {
      const node = element("button", "tile");
      node.type = "button";
      node.tabIndex = -1; // the keys below move between tiles; tabbing through 60 of them helps nobody
      node.dataset.cell = tile.cell;
      const image = element("img", "");
      image.src = tile.crop;
      image.alt = tile.name;
      node.append(image, element("span", "badge"), element("span", "label"), element("span", "trust"));
      this.nodes.set(tile.cell, node);
    }
    this.grid.replaceChildren(...this.nodes.values());
  }

  // The decision as it will be once the server has caught up, and whether it is only on its way.
  expected(tile) {
    let decision = tile.decision;
    let isWaiting = false;
    for (const event of this.outbox.events) {
      if (event.cell !== tile.cell || (event.kind !== "label" && event.kind !== "confirm")) continue;
      isWaiting = true;
      decision = event.kind === "label" ? event.label : decision || tile.prediction;
    }
    return { decision, isWaiting };
  }

  draw(jump) {
    for (const tile of this.data.tiles) {
      const { decision, isWaiting } = this.expected(tile);
      const isChosen = tile.cell === this.chosen;
      const key = [decision, isWaiting, tile.prediction, tile.status, tile.confidence, isChosen].join("|");
      if (this.drawn.get(tile.cell) === key) continue;
      this.drawn.set(tile.cell, key);
      const node = this.nodes.get(tile.cell);
      const look = this.data.statuses[tile.status];
      const [, badge, label, trust] = node.children;
      node.classList.toggle("chosen", isChosen);
      node.setAttribute("aria-pressed", String(isChosen));
      node.dataset.decision = decision;
      badge.textContent = this.mark(tile, decision, isWaiting);
      badge.classList.toggle("waiting", isWaiting);
      label.textContent = this.title(decision || tile.prediction);
      trust.textContent = `${look.sign} ${look.word} ${tile.confidence}`;
      trust.style.color = look.colour;
      node.style.setProperty("--edge", look.colour);
      node.title = `${tile.name}\n${this.title(tile.prediction)} predicted, ${tile.confidence}\n${look.meaning}`;
    }
    this.drawHead();
    this.drawNotice();
    const node = this.nodes.get(this.chosen);
    if (node && (jump || node.dataset.seen !== "1")) this.reveal(node);
    for (const other of this.nodes.values()) other.dataset.seen = other === node ? "1" : "0";
  }

  // Scroll inside the grid only: the page itself must not jump while somebody types.
  reveal(node) {
    const top = node.offsetTop; // from the grid's edge, because the grid is positioned
    if (top < this.grid.scrollTop) this.grid.scrollTop = top - 4;
    const below = top + node.offsetHeight - this.grid.clientHeight;
    if (below > this.grid.scrollTop) this.grid.scrollTop = below + 4;
  }

  mark(tile, decision, isWaiting) {
    if (isWaiting) return "… saving";
    if (!decision) return "";
    return decision === tile.prediction ? "✔ confirmed" : "✎ corrected";
  }

  title(label) {
    return this.data.titles[label] ?? label;
  }

  drawHead() {
    const position = this.data.tiles.findIndex((tile) => tile.cell === this.chosen);
    const tile = this.data.tiles[position];
    this.preview.hidden = !tile;
    if (!tile) return;
    const { decision, isWaiting } = this.expected(tile);
    const look = this.data.statuses[tile.status];
    if (this.preview.src !== tile.crop) this.preview.src = tile.crop;
    this.preview.alt = tile.name;
    const mark = this.mark(tile, decision, isWaiting);
    this.heading.textContent = this.title(decision || tile.prediction) + (mark ? `  ${mark}` : "");
    const was = decision && decision !== tile.prediction ? `, predicted ${this.title(tile.prediction)}` : "";
    this.subline.textContent = `${look.sign} ${look.word} ${tile.confidence}${was} · ${tile.name}`;
    this.subline.title = tile.name;
    for (const button of this.choices.children) {
      const isNow = button.dataset.label === (decision || tile.prediction);
      button.classList.toggle("now", isNow);
      button.setAttribute("aria-pressed", String(isNow));
    }
    const first = (this.data.page - 1) * this.data.page_size;
    this.turners.hidden = this.data.pages < 2;
    this.pager.textContent =
      `Cell ${first + position + 1} of ${this.data.n_cells}` +
      (this.data.pages > 1 ? ` · page ${this.data.page} of ${this.data.pages}` : "");
  }

  drawNotice() {
    this.outbox.show(this.notice, this.saving, "review");
  }

  drawChoices() {
    const key = JSON.stringify(this.data.choices);
    if (this.choicesDrawn === key) return;
    this.choicesDrawn = key;
    const button = (text, keyText, act, isReview, label, title) => {
      const node = element("button", "choice", text);
      node.type = "button";
      node.tabIndex = -1;
      if (label) node.dataset.label = label;
      node.title = title ?? "";
      node.prepend(element("kbd", "", keyText));
      node.onclick = () => this.take(act, isReview);
      return node;
    };
    this.choices.replaceChildren(
      ...this.data.choices.map((choice) =>
        button(choice.title, choice.key, () => this.decide(choice.label), true, choice.label),
      ),
    );
    this.steps.replaceChildren(
      button("Confirm", "Enter", () => this.confirm(), true, "", "The label shown is correct"),
      button("Undo", "U", () => this.undo(), true, "", "Undo your latest review"),
      button("Previous", "←", () => this.move(-1)),
      button("Next", "→", () => this.move(1)),
    );
    this.turners.replaceChildren(
      button("Previous page", "PgUp", () => this.turn(-1)),
      button("Next page", "PgDn", () => this.turn(1)),
    );
  }

  // Do what a key or a click asks for, unless it would be lost or hit another cell than the one on the screen.
  take(act, isReview = false) {
    const hasProblem = Boolean(this.outbox.problem());
    if (!hasProblem && !this.turning) act();
    else if (isReview) this.outbox.refuse(hasProblem ? "the server did not answer" : "the next page was still to come");
  }

  push(event) {
    this.outbox.add(event);
    this.draw(false);
  }

  choose(cell) {
    if (cell === this.chosen) return;
    this.chosen = cell;
    this.push({ kind: "choose", cell });
  }

  decide(label) {
    this.review({ kind: "label", label });
  }

  confirm() {
    this.review({ kind: "confirm" });
  }

  review(event) {
    if (this.chosen === null) return;
    const cell = this.chosen;
    this.advance();
    this.push({ ...event, cell });
  }

  undo() {
    this.push({ kind: "undo", cell: this.chosen });
  }

  index() {
    return this.data.tiles.findIndex((tile) => tile.cell === this.chosen);
  }

  // After a decision: the next cell; behind the last of a page the server turns the page.
  advance() {
    const next = this.data.tiles[this.index() + 1];
    if (next) this.chosen = next.cell;
    else if (this.data.page < this.data.pages) this.turning = true;
  }

  move(step) {
    const target = this.index() + step;
    if (this.data.tiles[target]) this.choose(this.data.tiles[target].cell);
    else if (Math.abs(step) === 1) this.turn(step, "step");
  }

  // Over the edge of this page: by one cell ("step"), or to the first cell of the next one ("page").
  turn(step, kind = "page") {
    const page = this.data.page + step;
    if (page < 1 || page > this.data.pages) return;
    this.turning = true;
    this.push({ kind, cell: this.chosen, step });
  }

  columns() {
    const tops = [...this.nodes.values()].map((node) => node.offsetTop);
    return Math.max(1, tops.filter((top) => top === tops[0]).length);
  }

  key(event) {
    const target = event.composedPath()[0];
    const role = target.getAttribute?.("role") ?? "";
    if (FIELDS.includes(target.tagName) || target.isContentEditable || role === "combobox") return;
    if (this.outbox.isConnected() && document.querySelector('[role="dialog"]')) return;
    const undo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
    if (!undo && (event.ctrlKey || event.metaKey || event.altKey)) return;
    const outside = target.tagName === "BUTTON" && !this.grid.getRootNode().contains(target);
    if (event.key === "Enter" && (outside || role === "tab" || target.tagName === "A" || target.tagName === "SUMMARY")) return;
    if (event.key.startsWith("Arrow") && ["slider", "tab", "radio", "option", "menuitem"].includes(role)) return;
    const choice = this.data.choices.find((candidate) => candidate.key === event.key);
    const act = undo
      ? () => this.undo()
      : choice
        ? () => this.decide(choice.label)
        : {
            Enter: () => this.confirm(),
            u: () => this.undo(),
            U: () => this.undo(),
            ArrowRight: () => this.move(1),
            n: () => this.move(1),
            ArrowLeft: () => this.move(-1),
            p: () => this.move(-1),
            ArrowDown: () => this.move(this.columns()),
            ArrowUp: () => this.move(-this.columns()),
            PageDown: this.data.pages > 1 && (() => this.turn(1)),
            PageUp: this.data.pages > 1 && (() => this.turn(-1)),
          }[event.key];
    if (!act || (event.repeat && (choice || event.key === "Enter"))) return;
    event.preventDefault();
    event.stopPropagation();
    this.take(act, undo || Boolean(choice) || ["Enter", "u", "U"].includes(event.key));
  }
}

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  const root = parentElement.querySelector(".gallery");
  root.view ??= new Gallery(root);
  root.view.update(data, (events) => setStateValue("events", events));
  root.view.start();
  return () => root.view.stop();
}
