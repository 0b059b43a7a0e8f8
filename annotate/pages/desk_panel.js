// The parts around image and caption. Each is built once and then only told what changed.

const STATE_SIGNS = {
  present: '✓', uncertain: '?', resolved: '↺', negated: '✕', absent: '✕', not_mentioned: '–',
};
const COVID_WORDS = { 1: 'yes', 0: 'no', '-1': 'unsure', '': 'not stated' };
const CELL_CLASS = { 1: 'on', '-1': 'maybe', 0: 'off', '': 'blank' };

function button(label, action, run, keyOf, properties = {}) {
  const key = keyOf(action);
  const made = el('button', { type: 'button', 'aria-keyshortcuts': shortcutName(key) || null, ...properties, onclick: run }, label);
  made.dataset.action = action;
  made.append(el('kbd', { 'aria-hidden': 'true' }, key ? keyName(key) : ''));
  return made;
}

// ---- the line on top: which record, how far, and whether all is saved

class Headline {
  constructor({ toggleKeys, openSheet }) {
    this.title = el('h2', { class: 'title' });
    this.facts = el('span', { class: 'facts' });
    this.progress = el('span', { class: 'progress-words' });
    this.bar = el('progress', { max: '1', value: '0', 'aria-label': 'Records done' });
    this.light = el('span', { class: 'save-light', role: 'status', 'aria-live': 'polite' });
    this.keys = el('button', { type: 'button', class: 'quiet', onclick: toggleKeys });
    const sheet = el('button', { type: 'button', class: 'quiet', onclick: openSheet, 'aria-label': 'Keys: sheet and changes' }, 'Keys ', el('kbd', {}, '?'));
    this.element = el('header', { class: 'headline' },
      el('div', { class: 'who' }, this.title, this.facts),
      el('div', { class: 'standing' }, this.bar, this.progress, this.light, this.keys, sheet));
  }

  show(work) {
    if (!work) {
      setText(this.title, '');
      this.facts.replaceChildren();
      return;
    }
    const { record } = work;
    setText(this.title, record.image);
    setAttribute(this.title, 'title', record.image);
    const facts = [
      record.panel && `panel ${record.panel}`, /^patient/i.test(record.patient_id) ? record.patient_id : `patient ${record.patient_id}`, record.diagnosis,
      record.source, record.mine && 'you decided it before',
    ].filter(Boolean);
    const flags = (record.flags || '').split(';').filter(Boolean).map((flag) => el('span', { class: 'flag-word' }, `⚑ ${flag.replaceAll('_', ' ')}`));
    this.facts.replaceChildren(...facts.map((fact) => el('span', {}, fact)), ...flags);
  }

  standing({ done, left, rate }) {
    const all = done + left;
    this.bar.max = Math.max(1, all);
    this.bar.value = done;
    const words = `${done.toLocaleString('en')} done · ${left.toLocaleString('en')} left`;
    setText(this.progress, rate ? `${words} · ${rate}` : words);
  }

  saved({ unsaved, held, trouble, problem }) {
    const words = held ? `● ${held} need${held === 1 ? 's' : ''} you`
      : unsaved ? `◐ ${unsaved} unsaved${trouble ? `: ${trouble}, trying again` : ' …'}` : '✓ all saved';
    setText(this.light, problem ? `${words} · ${problem}` : words);
    this.light.className = `save-light ${held ? 'bad' : unsaved ? 'wait' : 'good'}`;
    this.light.dataset.unsaved = unsaved;
  }

  keysAre(on) {
    setText(this.keys, on ? 'Keys on' : 'Keys off');
    setAttribute(this.keys, 'aria-pressed', String(on));
    setAttribute(this.keys, 'title', 'Switch the single keys on or off');
  }
}

// ---- chips

class Chips {
  constructor({ rules, toggle, turnCovid, guideline, keyOf }) {
    this.rules = rules;
    this.chips = new Map();
    const made = rules.findings.map((finding, index) => {
      const chip = this.chip(finding, index < 9 ? String(index + 1) : '', (event) => toggle(finding.key, event.shiftKey));
      const info = el('button', {
        type: 'button', class: 'info', 'aria-label': `Guideline: ${finding.name}`, title: 'Guideline', onclick: () => guideline(finding.key),
      }, 'i');
      return el('div', { class: 'chip-row', role: 'listitem' }, chip, info);
    });
    const covid = this.chip(rules.covid, keyName(keyOf('covid')), turnCovid);
    covid.dataset.action = 'covid';
    this.element = el('section', { class: 'chips', 'aria-label': 'Labels' },
      el('div', { class: 'chip-list', role: 'list', 'aria-label': 'Findings' }, ...made), covid);
  }

  chip(look, key, run) {
    const parts = { sign: el('span', { class: 'sign', 'aria-hidden': 'true' }), state: el('span', { class: 'state' }) };
    const chip = el('button', { type: 'button', class: 'chip', 'data-finding': look.key, onclick: run },
      el('kbd', { 'aria-hidden': 'true' }, key), parts.sign,
      el('span', { class: 'chip-name' }, look.name, ' ', el('span', { class: 'code' }, look.code)), parts.state);
    this.chips.set(look.key, { chip, look, ...parts });
    return chip;
  }

  show(work) {
    for (const [key, { chip, look, sign, state }] of this.chips) {
      const cell = work.cells[key] ?? '';
      const covid = key === this.rules.covid.key;
      const shown = work.stateOf(key);
      const words = covid ? COVID_WORDS[cell] : STATE_WORDS[shown];
      setText(sign, covid ? { 1: '✓', 0: '✕', '-1': '?', '': '–' }[cell] : STATE_SIGNS[shown]);
      setText(state, work.byHand.has(key) ? `${words} · by hand` : words);
      const className = `chip ${CELL_CLASS[cell]}${covid ? ' covid' : ''}${work.finding === key ? ' current' : ''}`;
      if (chip.className !== className) chip.className = className;
      setAttribute(chip, 'aria-pressed', cell === '1' ? 'true' : cell === '-1' ? 'mixed' : 'false');
      setAttribute(chip, 'aria-label', `${look.name}: ${state.textContent}`);
      chip.dataset.cell = cell;
    }
  }
}

// ---- comment, flag, and the decisions

class Decisions {
  constructor({ decide, undo, flag, comment, left, keyOf }) {
    this.comment = el('textarea', {
      rows: '1', placeholder: `Comment (${keyName(keyOf('comment'))})`, 'aria-label': 'Comment', maxlength: '2000',
      oninput: (event) => comment(event.target.value),
      onkeydown: (event) => { if (event.key === 'Escape') { event.stopPropagation(); left(); } },
    });
    this.flag = button('Flag', 'flag', flag, keyOf, { 'aria-pressed': 'false' });
    const decisions = [
      button('Confirm', 'confirm', () => decide('confirm'), keyOf, { class: 'primary' }),
      button('No lesion', 'nothing', () => decide('nothing'), keyOf),
      button('Skip', 'skip', () => decide('skip'), keyOf),
      button('Undo', 'undo', undo, keyOf),
      this.flag,
    ];
    this.element = el('footer', { class: 'decisions' }, this.comment, el('div', { class: 'buttons', role: 'group', 'aria-label': 'Decide' }, ...decisions));
  }

  show(work) {
    if (this.comment.value !== work.comment) this.comment.value = work.comment;
    setAttribute(this.flag, 'aria-pressed', String(work.flagged));
    this.flag.classList.toggle('flagged', work.flagged);
  }
}
