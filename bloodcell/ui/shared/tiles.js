// Images to pick from: the picked one is marked at once, then the server is told.

const FIELDS = ["INPUT", "TEXTAREA", "SELECT"];

function element(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text; // never innerHTML: names of files come from outside
  return node;
}

class Tiles {
  constructor(root) {
    this.root = root;
    this.onKey = (event) => this.key(event);
    root.addEventListener("click", (event) => {
      const tile = event.target.closest(".tile");
      if (tile) this.pick(Number(tile.dataset.id));
    });
  }

  update(data, send) {
    this.send = send;
    const drawn = JSON.stringify(data.tiles.map((tile) => [tile.id, tile.title, tile.subtitle, tile.mark]));
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.ids = data.tiles.map((tile) => tile.id);
      this.root.replaceChildren(...data.tiles.map((tile) => this.node(tile)));
    }
    this.mark(data.picked);
  }

  node(tile) {
    const node = element("button", "tile");
    node.type = "button";
    node.dataset.id = tile.id;
    node.style.setProperty("--edge", tile.colour);
    const image = element("img", "");
    image.src = tile.uri;
    image.alt = tile.title;
    node.append(
      image,
      element("span", "badge", tile.mark),
      element("span", "title", tile.title),
      element("span", "subtitle", tile.subtitle),
    );
    return node;
  }

  mark(id) {
    this.picked = id;
    for (const node of this.root.children) {
      const isPicked = Number(node.dataset.id) === id;
      node.classList.toggle("picked", isPicked);
      node.setAttribute("aria-pressed", String(isPicked));
    }
  }

  pick(id) {
    if (id === this.picked) return;
    this.mark(id);
    this.send(id);
  }

  key(event) {
    const target = event.composedPath()[0];
    const role = target.getAttribute?.("role") ?? "";
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (FIELDS.includes(target.tagName) || target.isContentEditable) return;
    if (["combobox", "slider", "tab", "radio", "option", "menuitem"].includes(role)) return;
    if (document.querySelector('[role="dialog"]')) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const next = this.ids[this.ids.indexOf(this.picked) + step];
    if (next === undefined) return;
    event.preventDefault();
    this.pick(next);
  }
}

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  const root = parentElement.querySelector(".tiles");
  root.view ??= new Tiles(root);
  root.view.update(data, (id) => setStateValue("pick", id));
  document.addEventListener("keydown", root.view.onKey, true);
  return () => document.removeEventListener("keydown", root.view.onKey, true);
}
