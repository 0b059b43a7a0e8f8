// What the desk asks of the server, and the records to come.

const AHEAD = 24; // records in the browser: 20 keys at 30 ms never find the shelf empty
const REFILL = 16;
const DECODED = AHEAD; // images loaded ahead: a confirmation waits for its image
const REMEMBERED = 200; // decisions that can be undone without asking the server
const LOOK_AGAIN = 20000;
const PATIENCE = 15000;
const RENEW = 300000; // of what lies here, while someone works
const LEASE = 900000; // then the server gives it to others (seats.py)

const FETCHING = {
  async post(path, body, method = 'POST') {
    try {
      const reply = await fetch(`${this.data.base}/desk/${path}`, {
        method,
        cache: 'no-store',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${this.token}` },
        body: method === 'POST' ? JSON.stringify(body) : undefined,
        signal: AbortSignal.timeout ? AbortSignal.timeout(PATIENCE) : undefined,
      });
      const answer = await reply.json().catch(() => ({ error: 'the answer was not understood' }));
      if (reply.status === 401) this.component.setStateValue('token_wanted', Date.now());
      if (answer.token) this.token = answer.token;
      if (answer.progress) this.setProgress(answer.progress);
      return { status: reply.status, answer };
    } catch {
      return { status: 0, answer: { error: 'the server cannot be reached' } };
    }
  },

  async start() {
    if (this.data.open) await this.open(this.data.open);
    await this.fetchMore({ history: true });
    if (!this.current) this.next();
    this.showOthers();
  },

  // Another order or filter: what was reserved under the old one goes back.
  async startOver() {
    this.queue = [];
    this.round = (this.round ?? 0) + 1;
    this.fetching = false;
    this.exhausted = false;
    this.show(null);
    await this.fetchMore({ fresh: true });
    if (!this.current) this.next();
  },

  async fetchMore(extra = {}) {
    this.wanted = { ...this.wanted, ...extra };
    if (this.fetching || this.closed) return;
    this.fetching = true;
    const { round, wanted } = this;
    const asleep = Date.now() - this.renewedAt > LEASE; // others may have done these: only what was begun stays
    const stays = () => (asleep ? this.queue.filter((work) => work.seen) : this.queue);
    const here = [...stays(), ...(this.current ? [this.current] : [])].map((work) => work.id);
    const have = [...new Set([...here, ...this.outbox.recordIds])];
    const count = Math.max(0, AHEAD - stays().length);
    const { order, filters } = this.data;
    const { status, answer } = await this.post('next', { have, count, order, filters, ...wanted });
    if (this.closed || round !== this.round) return;
    this.fetching = false;
    this.trouble = status === 200 ? '' : answer.error;
    clearTimeout(this.retry);
    if (status === 200) {
      this.queue = stays();
      this.take(answer, count);
    } else this.retry = setTimeout(() => this.fetchMore(), 2000);
    if (!this.current && !this.queue.length) this.showEmpty();
  },

  // What was decided while the answer was on its way must not come again.
  take(answer, count) {
    this.wanted = {};
    this.renewedAt = Date.now();
    this.exhausted = answer.records.length < count;
    if (answer.history) this.older = this.notInPast(answer.history);
    const held = new Set([...this.queue, ...this.past, ...(this.current ? [this.current] : [])].map((work) => work.id));
    for (const id of this.outbox.recordIds) held.add(id);
    this.queue.push(...answer.records.filter((record) => !held.has(record.id)).map((record) => new Work(record, this.rules)));
    this.prefetch();
    if (!this.current && this.queue.length) this.next();
  },

  refill() {
    if (this.queue.length < REFILL && !this.exhausted) this.fetchMore();
  },

  lookAgain() {
    if (document.hidden || Date.now() - this.actedAt > LEASE) return;
    if (this.queue.length >= REFILL && Date.now() - this.renewedAt < RENEW) return;
    this.exhausted = false;
    this.fetchMore();
  },

  // Where nobody works the leases end, so that others get these records; the first touch after it looks again.
  touched() {
    this.actedAt = Date.now();
    if (Date.now() - this.renewedAt > LEASE) this.lookAgain();
  },

  prefetch() {
    this.shelf.prefetch(this.queue.slice(0, DECODED).map((work) => work.record));
    this.shelf.trim(2 * DECODED);
  },

  // One record with the annotator's own work on it, saved or not.
  async fetchOne(id, { plain = false } = {}) {
    const { status, answer } = await this.post(`record/${id}`, undefined, 'GET');
    if (status !== 200) {
      this.say(`Record ${id} cannot be opened: ${answer.error}.`);
      return null;
    }
    const work = new Work(answer.records[0], this.rules);
    const unsaved = plain ? undefined : this.outbox.lastOf(id);
    work.visited = unsaved ? unsaved.action !== 'undo' : Boolean(work.record.mine);
    if (unsaved) {
      work.takeUp(unsaved);
      work.base = unsaved.op_id;
      work.waitsFor = unsaved.op_id;
    }
    return work;
  },

  // After a reload the server, and what it has not yet, know what was decided before.
  async olderDecision() {
    if (!this.older?.length) {
      const { status, answer } = await this.post('next', { have: [], count: 0, history: true });
      if (status !== 200) {
        this.say(`Nothing was undone: ${answer.error}.`);
        return null;
      }
      this.older = this.notInPast(answer.history);
    }
    const undone = (id) => this.outbox.lastOf(id)?.action === 'undo';
    const id = this.older.find((each) => !undone(each));
    if (id === undefined) {
      this.say('There is no earlier decision to undo.');
      return null;
    }
    const work = await this.fetchOne(id);
    if (work) this.older = this.older.filter((each) => each !== id);
    return work;
  },

  // Of the decisions before this page was opened, the last one first.
  notInPast(history) {
    const past = new Set(this.past.map((work) => work.id));
    const unsaved = this.outbox.recordIds.filter((id) => this.outbox.lastOf(id)).reverse();
    return [...new Set([...unsaved, ...history])].filter((id) => !past.has(id));
  },

  // What was on screen comes next again, unless it was only looked at after it had been decided.
  putBack(id) {
    if (this.current && !this.current.visited) this.queue.unshift(this.current);
    this.queue = this.queue.filter((each) => each.id !== id);
  },

  async loadAgain(work) {
    const { status, answer } = await this.post(`record/${work.id}`, undefined, 'GET');
    if (status !== 200 || this.current !== work) return;
    const [{ url, thumbnail }] = answer.records;
    Object.assign(work.record, { url, thumbnail });
    this.showImage(work, this.shelf.load(work.record), { again: true });
  },

  async open(id) {
    if (this.current?.id === id) return;
    const place = this.queue.findIndex((work) => work.id === id);
    const work = place >= 0 ? this.queue.splice(place, 1)[0] : await this.fetchOne(id);
    if (!work) return;
    this.putBack(id);
    this.show(work);
  },
};
