// Work that is not saved yet. It lies in localStorage under the database and the user, one entry for each
// operation, so that it survives a reload, a closed tab and a lost server. An entry leaves when the server says
// that it is kept; saving twice is harmless, since every operation has a number of its own (op_id).

const BATCH = 50;
const LONGEST_WAIT = 10000;
const TOO_LARGE = 'it is too large for the server: shorten its comment, or delete mentions and boxes';

class Outbox {
  // send(path, body) → {status, answer}; answered(op, ack), changed() and elsewhere(recordId) tell the desk.
  constructor({ place, send, answered, changed, elsewhere }) {
    Object.assign(this, { place, send, answered, changed, elsewhere });
    this.entries = [];
    this.failures = 0;
    this.sending = false;
    this.timer = 0;
    this.last = 0; // when the last entry was made: a clock that is set back changes no order
    this.most = BATCH;
    this.trouble = ''; // why the last try failed
    this.problem = '';
    this.listen = (event) => this.seen(event);
    this.again = () => this.soon(0);
    this.leaving = (event) => { if (this.problem && this.unsaved) event.preventDefault(); };
    window.addEventListener('beforeunload', this.leaving);
    window.addEventListener('storage', this.listen);
    window.addEventListener('online', this.again);
    document.addEventListener('visibilitychange', this.again);
    this.read();
    this.soon(0);
  }

  close() {
    clearTimeout(this.timer);
    window.removeEventListener('beforeunload', this.leaving);
    window.removeEventListener('storage', this.listen);
    window.removeEventListener('online', this.again);
    document.removeEventListener('visibilitychange', this.again);
    this.closed = true;
  }

  read() {
    for (const key of storedKeys().filter((each) => each.startsWith(this.place)).sort()) this.readOne(key, localStorage.getItem(key));
  }

  readOne(key, text) {
    this.last = Math.max(this.last, Number.parseInt(key.slice(this.place.length), 10) || 0);
    try {
      const entry = JSON.parse(text);
      if (entry && entry.op && entry.op.op_id) this.entries.push({ key, ...entry });
      return entry.op;
    } catch { /* not ours */ }
    return undefined;
  }

  // Another tab of the same user keeps and removes entries, too. It sends them itself; if it cannot, this one does.
  seen(event) {
    if (!event.key || !event.key.startsWith(this.place)) return;
    if (event.newValue === null) this.entries = this.entries.filter((entry) => entry.key !== event.key);
    else if (!this.entries.some((entry) => entry.key === event.key)) {
      const idle = !this.ready().length;
      const op = this.readOne(event.key, event.newValue);
      if (op) this.elsewhere(op.record_id);
      if (idle) this.soon(LONGEST_WAIT);
    }
    this.changed();
  }

  get unsaved() { return this.entries.filter((entry) => !entry.held).length; }

  get held() { return this.entries.filter((entry) => entry.held); }

  get recordIds() { return [...new Set(this.entries.map((entry) => entry.op.record_id))]; }

  add(path, op) {
    this.last = Math.max(Date.now(), this.last + 1);
    const entry = { key: `${this.place}${String(this.last).padStart(15, '0')}-${op.op_id}`, path, op, held: '' };
    this.entries.push(entry);
    this.keep(entry);
    this.changed();
    if (!this.failures) this.soon(25);
  }

  keep(entry) {
    try {
      const { path, op, held, status } = entry;
      localStorage.setItem(entry.key, JSON.stringify({ path, op, held, status }));
    } catch {
      this.problem = 'This browser keeps no more unsaved work: leave the page open until all is saved.';
    }
  }

  remove(gone) {
    const keys = new Set(gone.map((entry) => entry.key));
    try {
      for (const key of keys) localStorage.removeItem(key);
    } catch { /* it kept nothing */ }
    this.entries = this.entries.filter((entry) => !keys.has(entry.key));
    if (!this.entries.length) this.problem = '';
  }

  decisionsOn(recordId) { return this.entries.filter(({ path, op }) => path === 'save' && op.record_id === recordId); }

  // The last decision on a record that is not saved yet, or undefined.
  lastOf(recordId) { return this.decisionsOn(recordId).at(-1)?.op; }

  // Forget the decisions on the record of an operation, or words that were offered.
  discard({ action, op_id: id, record_id: recordId }) {
    this.remove(action ? this.decisionsOn(recordId) : this.entries.filter(({ op }) => op.op_id === id));
    this.changed();
  }

  // Those that can go now, in order; work on a record with a problem waits until the annotator has seen to it.
  ready() {
    const batch = [];
    const blocked = new Set(this.held.filter((entry) => entry.path === 'save').map((entry) => entry.op.record_id));
    for (const entry of this.entries) {
      const { op, path } = entry;
      if (entry.held || (path === 'save' && blocked.has(op.record_id))) continue;
      if (batch.length && path !== batch[0].path) break;
      batch.push(entry);
      if (path !== 'save' || batch.length >= this.most) break;
    }
    return batch;
  }

  soon(milliseconds) {
    if (this.closed) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), milliseconds);
  }

  async flush() {
    if (this.sending || this.closed) return;
    const batch = this.ready();
    if (!batch.length) return;
    this.sending = true;
    this.changed();
    const operations = batch.map((entry) => entry.op);
    const body = batch[0].path === 'save' ? { operations } : operations[0];
    const { status, answer } = await this.send(batch[0].path, body);
    this.sending = false;
    if (this.closed) return;
    if (status === 200) this.taken(batch, answer.acks ?? []);
    else if (status === 413 && batch.length > 1) this.most = Math.ceil(batch.length / 2); // too much at once
    else if (status === 413) this.hold(batch, TOO_LARGE);
    else if (status === 400 || status === 404) this.hold(batch, answer.error);
    else {
      this.failures += 1;
      this.trouble = answer.error;
    }
    this.changed();
    if (this.ready().length) this.soon(this.wait());
  }

  wait() {
    return this.failures ? Math.min(LONGEST_WAIT, 250 * 2 ** Math.min(this.failures, 10)) : 0;
  }

  taken(batch, acks) {
    this.failures = 0;
    this.trouble = '';
    this.most = Math.min(BATCH, 2 * this.most);
    const byId = new Map(acks.map((ack) => [ack.op_id, ack]));
    for (const entry of batch) {
      const ack = byId.get(entry.op.op_id);
      if (!ack) continue;
      if (ack.status === 'saved' || ack.status === 'repeated') {
        this.remove([entry]);
      } else this.hold([entry], ack.message || 'the server refused this decision', ack.status);
      this.answered(entry.op, ack);
    }
  }

  hold(batch, message, status = 'refused') {
    for (const entry of batch) {
      entry.held = message || 'refused';
      entry.status = status;
      this.keep(entry);
    }
  }
}

// Keys of localStorage; none where the browser forbids it.
function storedKeys() {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
}

// How much other people's work waits in this browser for the same database; it is never sent under this name.
function othersWaiting(database, user) {
  const waiting = new Map();
  for (const key of storedKeys()) {
    const [, place, name] = key.match(/^lesion-labels\/([^/]*)\/([^/]*)\//) ?? [];
    if (place === database && name !== encodeURIComponent(user)) {
      const who = decodeURIComponent(name);
      waiting.set(who, (waiting.get(who) ?? 0) + 1);
    }
  }
  return waiting;
}
