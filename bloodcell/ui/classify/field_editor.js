// A field with its boxes: zoom and pan, choose, draw, move, resize, split and remove boxes, give classes (outbox.js).
//
// A change is drawn at once, dashed until the server has acknowledged it.

const SVG = "http://www.w3.org/2000/svg";
const SMALLEST_PX = 4;
const TYPING = ["INPUT", "TEXTAREA", "SELECT"];

function make(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function sortBox(box) {
  const [top, left, bottom, right] = box;
  return [Math.min(top, bottom), Math.min(left, right), Math.max(top, bottom), Math.max(left, right)];
}

class FieldEditor {
  constructor(root) {
    this.root = root;
    for (const name of ["notice", "kinds", "tools", "saving", "field", "caption", "choices"]) {
      this[name] = root.querySelector(`.${name}`);
    }
    this.outbox = new Outbox(() => this.drawNotice());
    this.hidden = new Set();
    this.mode = "look"; // or "draw", "split", "measure"
    this.kind = "WBC";
    this.chosen = null;
    this.splitAt = [];
    this.onKey = (event) => this.key(event);
    this.field.addEventListener("pointerdown", (event) => this.press(event));
    this.field.addEventListener("pointermove", (event) => this.drag(event));
    this.field.addEventListener("pointerup", (event) => this.release(event));
    this.field.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  start() {
    this.outbox.start();
    document.addEventListener("keydown", this.onKey, true);
  }

  stop() {
    this.outbox.stop();
    document.removeEventListener("keydown", this.onKey, true);
  }

  update(data, send) {
    const isOther = this.data?.image.id !== data.image.id;
    this.data = data;
    this.outbox.receive(data, send);
    if (isOther) {
      this.view = [0, 0, data.image.width, data.image.height];
      this.chosen = null;
      this.mode = "look";
    }
    const boxes = this.boxes();
    if (!boxes.some((box) => box.key === this.chosen)) {
      // What was drawn as waiting has come back under a key of its own.
      this.chosen = boxes.find((box) => String(box.box) === String(this.awaited))?.key ?? null;
    }
    this.draw();
  }

  // The boxes as they will be once the server has caught up.
  boxes() {
    let boxes = this.data.boxes.map((box) => ({ ...box }));
    for (const event of this.outbox.events) {
      if (event.image !== this.data.image.id) continue;
      if (event.kind === "remove" || event.kind === "replace") boxes = boxes.filter((box) => box.key !== event.key);
      for (const [index, box] of (event.boxes ?? []).entries()) {
        boxes.push({ key: `new-${event.number}-${index}`, kind: event.of, box, title: "", waiting: true });
      }
      const labelled = event.kind === "label" && boxes.find((box) => box.cell === event.cell);
      if (labelled) Object.assign(labelled, { title: this.title(event.label), waiting: true });
    }
    return boxes;
  }

  title(label) {
    return this.data.choices.find((choice) => choice.label === label)?.title ?? label;
  }

  chosenBox() {
    return this.boxes().find((box) => box.key === this.chosen);
  }

  // Drawing

  draw() {
    const { image, colours } = this.data;
    this.field.setAttribute("viewBox", this.view.join(" "));
    this.field.setAttribute("aria-label", image.name);
    this.field.classList.toggle("drawing", this.mode !== "look");
    const nodes = [this.picture(image)];
    const unit = this.view[2] / (this.field.clientWidth || this.view[2]); // image pixels a screen pixel
    const boxes = this.boxes().filter((box) => !this.hidden.has(box.kind));
    for (const box of [...boxes.filter((one) => one.key !== this.chosen), ...boxes.filter((one) => one.key === this.chosen)]) {
      const shown = box.key === this.chosen && this.moved ? sortBox(this.moved) : box.box;
      const rect = this.rectangle(shown, "box", colours[box.kind]);
      rect.classList.toggle("chosen", box.key === this.chosen);
      rect.classList.toggle("waiting", Boolean(box.waiting));
      rect.dataset.key = box.key;
      nodes.push(rect);
      if (box.title) {
        const tag = make("text", { x: shown[1] + 2 * unit, y: shown[0] - 4 * unit, class: "tag", "font-size": 13 * unit });
        tag.textContent = box.title; // never markup: labels come from outside
        tag.style.setProperty("--colour", colours[box.kind]);
        nodes.push(tag);
      }
      if (box.key === this.chosen && !box.waiting && this.mode === "look") nodes.push(...this.handles(shown, unit, colours[box.kind]));
    }
    if (this.drawn && this.mode === "draw") nodes.push(this.rectangle(sortBox(this.drawn), "box waiting", colours[this.kind]));
    if (this.drawn && this.mode === "measure") {
      const [y1, x1, y2, x2] = this.drawn;
      nodes.push(make("line", { x1, y1, x2, y2, class: "ruler" }));
    }
    for (const [row, col] of this.splitAt) nodes.push(make("circle", { cx: col, cy: row, r: 5 * unit, fill: colours.WBC }));
    this.field.replaceChildren(...nodes);
    this.drawBar();
    this.drawNotice();
  }

  // One node for as long as the image stays: a new one would be decoded anew at every move of the mouse.
  picture(image) {
    if (this.pictureId !== image.id) {
      this.pictureId = image.id;
      this.pictureNode = make("image", { href: image.uri, width: image.width, height: image.height });
    }
    return this.pictureNode;
  }

  rectangle([top, left, bottom, right], className, colour) {
    const node = make("rect", { x: left, y: top, width: right - left, height: bottom - top, class: className });
    node.style.setProperty("--colour", colour);
    return node;
  }

  handles([top, left, bottom, right], unit, colour) {
    const half = 5 * unit;
    const places = { nw: [top, left], ne: [top, right], sw: [bottom, left], se: [bottom, right] };
    return Object.entries(places).map(([corner, [row, col]]) => {
      const node = this.rectangle([row - half, col - half, row + half, col + half], "handle", colour);
      node.dataset.corner = corner;
      node.style.cursor = corner === "nw" || corner === "se" ? "nwse-resize" : "nesw-resize";
      return node;
    });
  }

  drawBar() {
    const boxes = this.boxes();
    const chosen = this.chosenBox();
    const button = (text, key, act, options = {}) => {
      const node = document.createElement("button");
      node.type = "button";
      node.textContent = text;
      if (key) node.prepend(Object.assign(document.createElement("kbd"), { textContent: key }));
      node.onclick = act;
      node.disabled = Boolean(options.disabled);
      if (options.pressed !== undefined) node.setAttribute("aria-pressed", String(options.pressed));
      if (options.colour) node.style.setProperty("--colour", options.colour);
      return node;
    };
    this.kinds.replaceChildren(
      ...Object.entries(this.data.kinds).map(([kind, name]) =>
        button(`${name} ${boxes.filter((box) => box.kind === kind).length}`, "", () => this.toggle(kind), {
          pressed: !this.hidden.has(kind),
          colour: this.data.colours[kind],
        }),
      ),
    );
    const free = chosen && !chosen.waiting;
    this.tools.replaceChildren(
      ...Object.entries(this.data.kinds).map(([kind, name]) =>
        button(`Draw ${this.data.singular[kind]}`, this.data.drawKeys[kind], () => this.startDrawing(kind), {
          pressed: this.mode === "draw" && this.kind === kind,
        }),
      ),
      button("Split", "S", () => this.setMode("split"), { disabled: !free, pressed: this.mode === "split" }),
      button("Remove", "Del", () => this.remove(), { disabled: !free }),
      button("Measure a red cell", "M", () => this.startMeasuring(), { pressed: this.mode === "measure" }),
      button("Undo", "U", () => this.take({ kind: "undo" })),
      button("Whole field", "0", () => this.zoomTo(1)),
    );
    this.caption.textContent = this.describe(chosen);
    this.choices.replaceChildren(
      ...(chosen?.cell ? this.data.choices : []).map((choice) =>
        button(choice.title, choice.key, () => this.label(choice.label), { pressed: choice.title === chosen.title }),
      ),
    );
  }

  describe(chosen) {
    if (this.mode === "draw") return "Drag a box around the cell. Esc ends drawing.";
    if (this.mode === "measure") {
      const length = this.drawn ? `${Math.round(this.measure(this.drawn))} px. ` : "";
      return `${length}Drag across a red cell: images that you add from now on are seen at that scale. Esc ends measuring.`;
    }
    if (this.mode === "split") return `Click the middle of the ${this.splitAt.length ? "second" : "first"} cell. Esc ends splitting.`;
    if (!chosen) return "Click a box to open it. Drag to pan, scroll or + and − to zoom.";
    if (chosen.waiting) return "Saving …";
    const size = `${chosen.box[3] - chosen.box[1]} x ${chosen.box[2] - chosen.box[0]} px`;
    return [this.data.singular[chosen.kind], chosen.title, chosen.trust, size].filter(Boolean).join(" · ");
  }

  drawNotice() {
    this.outbox.show(this.notice, this.saving, "change");
  }

  // Changing

  take(event) {
    if (this.outbox.problem()) this.outbox.refuse("the server did not answer");
    else this.outbox.add({ ...event, image: this.data.image.id });
    this.draw();
  }

  toggle(kind) {
    if (!this.hidden.delete(kind)) this.hidden.add(kind);
    this.draw();
  }

  startDrawing(kind) {
    const mode = this.mode === "draw" && this.kind === kind ? "look" : "draw";
    this.kind = kind;
    this.hidden.delete(kind);
    this.setMode(mode);
  }

  startMeasuring() {
    this.setMode(this.mode === "measure" ? "look" : "measure");
  }

  measure([row1, col1, row2, col2]) {
    return Math.hypot(row2 - row1, col2 - col1);
  }

  // Whatever was half done in the mode before is dropped.
  setMode(mode) {
    this.mode = mode;
    this.splitAt = [];
    this.drawn = undefined;
    this.draw();
  }

  fit(box) {
    const { width, height } = this.data.image;
    const [top, left, bottom, right] = sortBox(box).map(Math.round);
    return [Math.max(0, top), Math.max(0, left), Math.min(height, bottom), Math.min(width, right)];
  }

  add(box) {
    const fitted = this.fit(box);
    if (fitted[2] - fitted[0] < SMALLEST_PX || fitted[3] - fitted[1] < SMALLEST_PX) return;
    this.awaited = fitted;
    this.take({ kind: "add", of: this.kind, boxes: [fitted] });
  }

  replace(boxes) {
    const chosen = this.chosenBox();
    if (!chosen || chosen.waiting) return;
    const fitted = boxes.map((box) => this.fit(box));
    if (String(fitted) === String([chosen.box])) return;
    if (fitted.some((box) => box[2] - box[0] < SMALLEST_PX || box[3] - box[1] < SMALLEST_PX)) return;
    [this.awaited] = fitted;
    this.take({ kind: "replace", key: chosen.key, of: chosen.kind, boxes: fitted });
  }

  remove() {
    const chosen = this.chosenBox();
    if (chosen && !chosen.waiting) this.take({ kind: "remove", key: chosen.key });
  }

  label(label) {
    const chosen = this.chosenBox();
    if (chosen?.cell) this.take({ kind: "label", cell: chosen.cell, label });
  }

  // Cut the chosen box between the two clicked middles, across the longer way from one to the other.
  split() {
    const chosen = this.chosenBox();
    const [[row1, col1], [row2, col2]] = this.splitAt;
    this.setMode("look");
    if (!chosen) return;
    const [top, left, bottom, right] = chosen.box;
    const [row, col] = [(row1 + row2) / 2, (col1 + col2) / 2];
    const across = Math.abs(col2 - col1) >= Math.abs(row2 - row1);
    if (across && col > left && col < right) this.replace([[top, left, bottom, col], [top, col, bottom, right]]);
    if (!across && row > top && row < bottom) this.replace([[top, left, row, right], [row, left, bottom, right]]);
  }

  choose(key) {
    this.chosen = key;
    this.draw();
  }

  // Pointer

  place(event) {
    const bounds = this.field.getBoundingClientRect();
    const scale = Math.min(bounds.width / this.view[2], bounds.height / this.view[3]);
    const x0 = bounds.left + (bounds.width - this.view[2] * scale) / 2;
    const y0 = bounds.top + (bounds.height - this.view[3] * scale) / 2;
    return [this.view[1] + (event.clientY - y0) / scale, this.view[0] + (event.clientX - x0) / scale, scale];
  }

  press(event) {
    if (event.button !== 0) return;
    this.root.focus({ preventScroll: true });
    this.field.setPointerCapture(event.pointerId);
    const [row, col] = this.place(event);
    const corner = event.target.dataset?.corner;
    const key = event.target.dataset?.key;
    const chosen = this.chosenBox();
    this.grip = { row, col, x: event.clientX, y: event.clientY, view: [...this.view], key };
    if (this.mode === "draw" || this.mode === "measure") this.drawn = [row, col, row, col];
    else if (this.mode === "look" && corner && chosen) this.grip = { ...this.grip, corner, box: chosen.box };
    else if (this.mode === "look" && key && key === this.chosen && !chosen.waiting) this.grip = { ...this.grip, box: chosen.box };
  }

  drag(event) {
    if (!this.grip) return;
    const [row, col, scale] = this.place(event);
    const { box, corner, view, x, y } = this.grip;
    if (this.drawn) this.drawn = [this.drawn[0], this.drawn[1], row, col];
    else if (box && corner) {
      this.moved = [...box];
      this.moved[corner[0] === "n" ? 0 : 2] = row;
      this.moved[corner[1] === "w" ? 1 : 3] = col;
    } else if (box) {
      const [down, along] = [row - this.grip.row, col - this.grip.col];
      this.moved = [box[0] + down, box[1] + along, box[2] + down, box[3] + along];
    } else if (this.mode === "look") {
      this.view = [view[0] - (event.clientX - x) / scale, view[1] - (event.clientY - y) / scale, view[2], view[3]];
    }
    this.draw();
  }

  release(event) {
    const grip = this.grip;
    this.grip = undefined;
    if (!grip) return;
    const isClick = Math.hypot(event.clientX - grip.x, event.clientY - grip.y) < 4;
    const { drawn, moved } = this;
    this.drawn = this.moved = undefined;
    if (this.mode === "split") {
      this.splitAt.push([grip.row, grip.col]);
      if (this.splitAt.length === 2) return this.split();
    } else if (this.mode === "draw" && drawn && !isClick) this.add(drawn);
    else if (this.mode === "measure" && drawn && !isClick) {
      this.mode = "look";
      this.take({ kind: "scale", px: Math.round(10 * this.measure(drawn)) / 10 });
    } else if (moved && !isClick) this.replace([moved]);
    else if (isClick && this.mode === "look") this.chosen = grip.key ?? null;
    this.draw();
  }

  wheel(event) {
    event.preventDefault();
    const [row, col] = this.place(event);
    this.zoomTo((this.data.image.width / this.view[2]) * Math.exp(-event.deltaY / 400), row, col);
  }

  zoomTo(zoom, row, col) {
    const { width, height } = this.data.image;
    const next = Math.min(20, Math.max(1, zoom));
    const [w, h] = [width / next, height / next];
    const shareX = col === undefined ? 0.5 : (col - this.view[0]) / this.view[2];
    const shareY = row === undefined ? 0.5 : (row - this.view[1]) / this.view[3];
    const [x, y] = [(col ?? this.view[0] + this.view[2] / 2) - shareX * w, (row ?? this.view[1] + this.view[3] / 2) - shareY * h];
    this.view = next === 1 ? [0, 0, width, height] : [x, y, w, h];
    this.draw();
  }

  // Keys

  step(by) {
    const boxes = this.boxes().filter((box) => !this.hidden.has(box.kind));
    if (!boxes.length) return;
    const index = boxes.findIndex((box) => box.key === this.chosen);
    this.choose(boxes[(index + by + boxes.length) % boxes.length].key);
  }

  nudge(down, along, resizes) {
    const chosen = this.chosenBox();
    if (!chosen) return;
    const [top, left, bottom, right] = chosen.box;
    const by = Math.max(1, Math.round((bottom - top) / 30));
    const moved = [top + (resizes ? 0 : down * by), left + (resizes ? 0 : along * by), bottom + down * by, right + along * by];
    this.replace([moved]);
  }

  key(event) {
    const target = event.composedPath()[0];
    if (TYPING.includes(target.tagName) || target.isContentEditable || event.ctrlKey || event.metaKey) return;
    if (this.outbox.isConnected() && document.querySelector('[role="dialog"]')) return;
    if (["radio", "tab", "slider", "option"].includes(target.getAttribute?.("role") ?? "")) return;
    const arrows = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    const choice = this.chosenBox()?.cell && this.data.choices.find((one) => one.key === event.key);
    const drawKind = Object.entries(this.data.drawKeys).find(([, key]) => key.toLowerCase() === event.key.toLowerCase())?.[0];
    const zoom = this.data.image.width / this.view[2];
    let act;
    if (event.key in arrows) {
      const [down, along] = arrows[event.key];
      act = event.shiftKey || event.altKey ? () => this.nudge(down, along, event.altKey) : () => this.step(down + along);
    } else if (choice) act = () => this.label(choice.label);
    else if (drawKind) act = () => this.startDrawing(drawKind);
    else {
      act = {
        s: () => this.chosenBox() && this.setMode("split"),
        m: () => this.startMeasuring(),
        delete: () => this.remove(),
        backspace: () => this.remove(),
        u: () => this.take({ kind: "undo" }),
        escape: () => this.setMode("look"),
        "+": () => this.zoomTo(zoom * 1.4),
        "-": () => this.zoomTo(zoom / 1.4),
        0: !choice && (() => this.zoomTo(1)),
      }[event.key.toLowerCase()];
    }
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  const root = parentElement.querySelector(".editor");
  root.view ??= new FieldEditor(root);
  root.view.start();
  root.view.update(data, (events) => setStateValue("events", events));
  return () => root.view.stop();
}
