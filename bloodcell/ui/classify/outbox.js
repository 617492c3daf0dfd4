// Events on their way from a component to the server.
//
// The server acknowledges events by their numbers and skips numbers it has seen. What waits is sent as one list, and the
// next list only when that one is acknowledged: quick typing makes few reruns, loses nothing and counts nothing twice.
// Reviews that wait outlive a lost connection, a restart of the server and a reload of the tab.

const REPEATABLE = ["label", "confirm", "scale"]; // given twice, they change nothing
const REVIEWS = [...REPEATABLE, "undo", "add", "remove", "replace"];
const MAX_WAITING = 200; // fewer than the server reads of one list
const PATIENCE_MS = 3000; // from the end of the server's work until an acknowledgement is given up

function plural(n, noun) {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

class Outbox {
  constructor(onChange) {
    this.onChange = onChange;
    this.client = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.nextNumber = 1;
    this.events = [];
    this.sentUpTo = 0; // number of the last event that is on its way, 0 where none is
    this.wasConnected = true;
    this.isStranger = false; // after a lost connection, until the server shows that it still knows this page
    this.warning = "";
    this.nRefused = 0;
    this.observer = new MutationObserver(() => this.watch());
  }

  start() {
    if (this.timer) return;
    this.app = document.querySelector('[data-testid="stApp"]');
    const attributeFilter = ["data-test-connection-state", "data-test-script-state"];
    if (this.app) this.observer.observe(this.app, { attributes: true, attributeFilter });
    this.timer = setInterval(() => this.watch(), 1000);
  }

  stop() {
    this.observer.disconnect();
    clearInterval(this.timer);
    this.timer = undefined;
  }

  isConnected() {
    const state = this.app?.dataset.testConnectionState;
    return !state || state === "CONNECTED";
  }

  watch() {
    const isConnected = this.isConnected();
    if (isConnected !== this.wasConnected) {
      this.wasConnected = isConnected;
      this.sentUpTo = 0;
      if (isConnected) {
        this.isStranger = true;
        this.add({ kind: "hello" });
      }
      this.onChange();
    }
    const isWaiting = isConnected && this.sentUpTo && this.app?.dataset.testScriptState === "notRunning";
    this.idleSince = isWaiting ? (this.idleSince ?? performance.now()) : undefined;
    if (!isWaiting || performance.now() - this.idleSince < PATIENCE_MS) return;
    this.idleSince = undefined;
    this.sentUpTo = 0;
    if (this.isStranger) window.location.reload();
    else this.pump();
  }

  // Take what the server has sent, and send on what waits.
  receive(data, send) {
    this.send = send;
    if (this.session === undefined) {
      this.storageKey = `bloodcell-reviews-${data.batch}`;
      this.resend(this.readStored(), data.session);
    } else if (this.session !== data.session) {
      this.resend(this.events, data.session);
    } else if (data.client === this.client) {
      this.events = this.events.filter((event) => event.number > data.acknowledged);
      if (data.acknowledged >= this.sentUpTo) this.sentUpTo = 0;
      this.isStranger = false;
    }
    this.store();
    setTimeout(() => this.pump());
  }

  // A server that was restarted may have applied these or not, so only what can be repeated is sent again.
  resend(events, session) {
    const kept = [];
    for (const event of events.filter((one) => REVIEWS.includes(one.kind))) {
      if (REPEATABLE.includes(event.kind)) {
        kept.push(event);
        continue;
      }
      if (event.kind === "undo") kept.pop();
      this.warning = "The connection was lost during your latest change: check it.";
    }
    this.session = session;
    this.sentUpTo = 0;
    this.isStranger = false;
    this.events = [];
    for (const event of kept) this.append(event);
  }

  append(event) {
    this.events.push({ ...event, client: this.client, session: this.session, number: this.nextNumber++ });
  }

  add(event) {
    const last = this.events.at(-1);
    if (event.kind === "choose" && last?.kind === "choose" && last.number > this.sentUpTo) this.events.pop();
    if (event.kind === "choose" || event.kind === "undo") this.nRefused = 0; // the person has looked where they are
    if (REVIEWS.includes(event.kind)) this.warning = "";
    this.append(event);
    this.store();
    this.pump();
  }

  pump() {
    if (!this.events.length || this.sentUpTo || !this.isConnected()) return;
    this.sentUpTo = this.events.at(-1).number;
    this.send([...this.events]);
  }

  // Send at once, without waiting for an acknowledgement, because the page may be left.
  flush() {
    if (this.events.length && this.events.at(-1).number > this.sentUpTo) {
      this.sentUpTo = 0;
      this.pump();
    }
  }

  refuse(reason) {
    this.nRefused += 1;
    this.reason = reason;
    this.onChange();
  }

  // Why nothing can be taken now, "" where it can.
  problem() {
    if (!this.isConnected()) return "Not connected to the server: keys and clicks are not taken.";
    if (this.events.length >= MAX_WAITING) return "The server does not answer: keys and clicks are not taken.";
    return "";
  }

  countReviews() {
    return this.events.filter((event) => REVIEWS.includes(event.kind)).length;
  }

  // What is to be told, "" where all is well; work under way is told by `countReviews`.
  describe() {
    const problem = this.problem();
    const n = this.countReviews();
    const waiting = problem && n ? `${plural(n, "review")} will be sent when it answers.` : "";
    const refused = this.nRefused ? `Not taken: ${plural(this.nRefused, "review")}, as ${this.reason}.` : "";
    return [problem, waiting, this.warning, refused].filter(Boolean).join(" ");
  }

  // Show in one node what is to be told, and in another what is being saved while there is nothing to tell.
  show(notice, saving, noun) {
    const text = this.describe();
    if (notice.textContent !== text) notice.textContent = text;
    notice.hidden = !text;
    const n = this.countReviews();
    saving.textContent = `Saving ${plural(n, noun)} …`;
    saving.hidden = !n || Boolean(text);
  }

  store() {
    const reviews = this.events.filter((event) => REVIEWS.includes(event.kind));
    try {
      if (reviews.length) sessionStorage.setItem(this.storageKey, JSON.stringify(reviews));
      else sessionStorage.removeItem(this.storageKey);
    } catch {
      // The browser allows no storage: a reload then loses what was not saved, as the tiles show.
    }
  }

  readStored() {
    try {
      return JSON.parse(sessionStorage.getItem(this.storageKey)) ?? [];
    } catch {
      return [];
    }
  }
}
