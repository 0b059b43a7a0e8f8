// What the desk says: progress, the saved light, conflicts, and that nothing is left.

const SAID = 6000;

const NOTICES = {
  setProgress(progress) {
    this.progress = progress;
    this.showProgress();
  },

  // Decisions that are still on their way count as done.
  showProgress() {
    const signs = { confirm: 1, undo: -1, skip: 0 };
    const waiting = (this.outbox?.entries ?? []).reduce((sum, { op }) => sum + (signs[op.action] ?? 0), 0);
    const { done = 0, left = 0 } = this.progress;
    this.headline.standing({ done: Math.max(0, done + waiting), left: Math.max(0, left - waiting), rate: this.rate() });
  },

  // Mean of the last decisions; pauses do not count.
  rate() {
    const recent = this.past.slice(-20).filter((work) => work.took < 300000);
    if (recent.length < 5) return '';
    const seconds = recent.reduce((sum, work) => sum + work.took, 0) / recent.length / 1000;
    return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s each`;
  },

  showSaved() {
    if (!this.outbox) return;
    const { unsaved, held, failures, trouble, problem } = this.outbox;
    this.headline.saved({ unsaved, held: held.length, trouble: failures > 1 ? trouble : '', problem });
    this.showProgress();
    const ids = held.map((entry) => entry.op.op_id).join();
    if (ids === (this.heldShown ?? '')) return;
    this.heldShown = ids;
    this.notices.querySelectorAll('.held').forEach((line) => line.remove());
    this.notices.append(...held.map((entry) => this.heldLine(entry)));
  },

  // Nothing was overwritten: the annotator looks at the record again, with her own work laid over it.
  heldLine({ op, held }) {
    const open = el('button', { type: 'button', onclick: () => this.reopen(op) }, 'Open it with my work');
    const drop = el('button', { type: 'button', onclick: () => this.drop(op) }, 'Drop mine');
    const what = op.action ? `Record ${op.record_id} was` : `Words of record ${op.record_id} for the lexicon were`;
    const words = `${what} not saved: ${held}. Your work is kept here.`;
    return el('div', { class: 'notice held' }, el('span', {}, words), op.action ? open : null, drop);
  },

  async reopen(op) {
    const work = await this.fetchOne(op.record_id, { plain: true });
    if (!work) return; // not reached: all is kept
    const last = this.outbox.lastOf(op.record_id) ?? op;
    this.drop(op);
    if (last.action !== 'undo') work.takeUp(last);
    work.visited = last.action === 'undo' && work.visited;
    if (this.current?.id === op.record_id) this.current = null;
    this.putBack(op.record_id);
    this.show(work);
  },

  // What came after a decision that is dropped has lost its ground.
  drop(op) {
    this.outbox.discard(op);
    if (op.action) this.past = this.past.filter((each) => each.id !== op.record_id);
  },

  // Others took the seats of these records while the work was on its way: it stands beside theirs.
  tellExtra(id, message) {
    if (!this.extra?.line.isConnected) this.extra = { ids: new Set(), line: this.line() };
    const ids = [...this.extra.ids.add(id)];
    const shown = ids.slice(0, 12).join(', ') + (ids.length > 12 ? ` and ${ids.length - 12} more` : '');
    setText(this.extra.line.firstChild, `Record${ids.length === 1 ? '' : 's'} ${shown}: ${message}.`);
  },

  say(words) {
    for (const old of this.notices.querySelectorAll('.said')) if (old.firstChild.textContent === words) old.remove();
    const line = this.line(words);
    line.classList.add('said');
    setTimeout(() => line.remove(), SAID);
  },

  line(words = '') {
    const close = el('button', { type: 'button', class: 'quiet', 'aria-label': 'Close', onclick: () => line.remove() }, '✕');
    const line = el('div', { class: 'notice' }, el('span', {}, words), close);
    this.notices.append(line);
    return line;
  },

  showOthers() {
    for (const [name, count] of othersWaiting(this.data.database, this.data.user)) {
      this.say(`${plural(count, 'decision')} of ${name} wait in this browser; they are sent when ${name} signs in here.`);
    }
  },

  showEmpty() {
    const again = el('button', { type: 'button', class: 'primary', onclick: () => this.lookAgain() }, 'Look again');
    const undo = el('button', { type: 'button', onclick: () => this.undo() }, 'Undo the last decision ', el('kbd', {}, keyName(this.keyOf('undo'))));
    const [head, words] = this.emptyWords();
    this.empty.replaceChildren(el('h2', {}, head), el('p', {}, words), el('div', { class: 'buttons' }, again, undo));
  },

  emptyWords() {
    if (this.trouble) return ['The server does not answer', `${this.trouble}. What you decided is kept in this browser and sent when it is back.`];
    if (this.fetching || this.exhausted === undefined) return ['One moment', 'Records are being fetched.'];
    if (Object.keys(this.data.filters).length) return ['No more records fit the filter', 'Change it above to see others.'];
    return ['All done', 'There is nothing left for you in the queue.'];
  },
};
