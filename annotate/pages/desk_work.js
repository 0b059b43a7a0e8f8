// The working copy of one record: what the annotator sees and changes before one key decides it.

const KEPT_OF_A_MENTION = [
  'finding', 'assertion', 'start', 'end', 'panel', 'section', 'modality', 'laterality', 'lobe', 'term', 'rule',
  'cue', 'cue_start', 'cue_end', 'match', 'score',
];
const BY_HAND = 'annotator';

class Work {
  constructor(record, rules) {
    this.record = record;
    this.rules = rules; // {findings, covid, states, cells}
    this.offsets = new Offsets(record.caption);
    this.reset();
  }

  reset() {
    const { record } = this;
    const mine = record.mine;
    this.cells = { ...record.labels, ...(mine ? mine.labels : {}) };
    this.mentionsTouched = Boolean(mine && mine.mentions); // null: untouched; none left: all deleted
    this.mentions = (this.mentionsTouched ? mine.mentions : record.mentions).map((mention) => ({ ...mention }));
    this.sortMentions();
    this.boxes = (mine ? mine.boxes : []).map((box) => ({ ...box }));
    this.comment = mine ? mine.comment : '';
    this.flagged = Boolean(mine && mine.flagged);
    this.byHand = new Set();
    this.base = mine ? mine.annotation_id : null;
    this.chosen = -1; // mention
    this.finding = this.firstFinding();
    this.sawImage = true;
  }

  get id() { return this.record.id; }

  get keys() { return this.rules.findings.map((finding) => finding.key); }

  firstFinding() {
    const mentioned = this.mentions.find((mention) => this.keys.includes(mention.finding)); // not COVID-19
    return this.keys.find((key) => this.cells[key] === '1') ?? mentioned?.finding ?? this.keys[0];
  }

  sortMentions() {
    this.mentions.sort((a, b) => a.start - b.start || a.end - b.end);
  }

  // The state shown for a finding: of its mentions where these decide, else what its cell says.
  stateOf(key) {
    const cell = this.cells[key] ?? '';
    const said = this.recordState(key);
    if (!this.byHand.has(key) && this.rules.cells[said] === cell) return said;
    return { 1: 'present', '-1': 'uncertain', 0: 'absent' }[cell] ?? 'not_mentioned';
  }

  // First of present > uncertain > resolved > negated, the rule of the whole toolkit.
  recordState(key) {
    const seen = new Set(this.mentions.filter((m) => m.finding === key).map((m) => m.assertion));
    return this.rules.states.find((state) => seen.has(state)) ?? 'not_mentioned';
  }

  set(key, cell) {
    this.cells[key] = cell;
    this.byHand.add(key);
    if (this.keys.includes(key)) this.finding = key;
  }

  toggle(key, unsure) {
    if (unsure) this.set(key, this.cells[key] === '-1' ? '0' : '-1');
    else this.set(key, this.cells[key] === '1' ? '0' : '1');
  }

  turnCovid() {
    const order = ['1', '0', '-1'];
    const key = this.rules.covid.key;
    this.set(key, order[(order.indexOf(this.cells[key]) + 1) % order.length]);
  }

  nothing() { this.cells = { ...this.cells, ...Object.fromEntries(this.keys.map((key) => [key, '0'])) }; }

  // A chip that was set by hand stays; the others follow their mentions.
  follow(key) {
    this.mentionsTouched = true;
    const state = this.recordState(key);
    const covid = key === this.rules.covid.key;
    if (this.byHand.has(key) || (covid && state === 'not_mentioned')) return;
    this.cells[key] = this.rules.cells[state];
  }

  assertChosen(assertion) {
    const mention = this.mentions[this.chosen];
    if (!mention) return false;
    if (mention.assertion !== assertion) {
      Object.assign(mention, { assertion, rule: BY_HAND, cue: '', cue_start: null, cue_end: null });
      this.follow(mention.finding);
    }
    return true;
  }

  deleteChosen() {
    const [gone] = this.chosen < 0 ? [] : this.mentions.splice(this.chosen, 1);
    if (!gone) return false;
    this.chosen = Math.min(this.chosen, this.mentions.length - 1);
    this.follow(gone.finding);
    return true;
  }

  addMention(finding, assertion, start, end) {
    const added = {
      ...Object.fromEntries(KEPT_OF_A_MENTION.map((name) => [name, ''])),
      finding, assertion, start, end, rule: BY_HAND, cue_start: null, cue_end: null,
      term: this.textOf(start, end), match: 'exact', score: 100, panel: this.record.panel,
    };
    this.mentions.push(added);
    this.sortMentions();
    this.chosen = this.mentions.indexOf(added);
    this.follow(finding);
  }

  textOf(start, end) {
    return this.record.caption.slice(this.offsets.toUnit(start), this.offsets.toUnit(end));
  }

  operation(action, milliseconds) {
    return {
      op_id: newId(),
      record_id: this.id,
      action,
      labels: { ...this.cells },
      mentions: this.mentionsTouched
        ? this.mentions.map((m) => Object.fromEntries(KEPT_OF_A_MENTION.map((name) => [name, m[name] ?? ''])))
        : null,
      boxes: this.boxes.map(({ finding, left, top, right, bottom }) => ({ finding, left, top, right, bottom })),
      comment: this.comment,
      flagged: this.flagged,
      base: this.base,
      saw_image: this.sawImage,
      milliseconds: Math.min(Math.round(milliseconds), 86400000),
    };
  }

  // Lay unsaved work over a record that was loaded again.
  takeUp(op) {
    this.cells = { ...this.cells, ...op.labels };
    for (const key of Object.keys(op.labels)) this.byHand.add(key);
    if (op.mentions) {
      this.mentions = op.mentions.map((mention) => ({ ...mention }));
      this.mentionsTouched = true;
    }
    this.boxes = op.boxes.map((box) => ({ ...box }));
    this.comment = op.comment;
    this.flagged = op.flagged;
  }
}
