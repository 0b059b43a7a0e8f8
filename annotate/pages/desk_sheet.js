// What opens over the desk: the key sheet with its changes, the guideline, and the menu of marked words.

function openDialog(root, title, ...content) {
  const close = el('button', { type: 'button', class: 'quiet', 'aria-label': 'Close', onclick: () => dialog.close() }, '✕');
  const dialog = el('dialog', { class: 'sheet', 'aria-label': title }, el('div', { class: 'sheet-head' }, el('h2', {}, title), close), ...content);
  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  root.append(dialog);
  dialog.showModal();
  return dialog;
}

function guidelineSheet(root, finding) {
  const entails = finding.entails.length ? el('p', {}, `Entails: ${finding.entails.join(', ')}.`) : null;
  const codes = finding.codes ? el('p', { class: 'soft' }, finding.codes) : null;
  return openDialog(root, `${finding.name} (${finding.code})`, el('p', { class: 'guideline' }, `${finding.definition}.`), entails, codes,
    el('p', { class: 'soft' }, 'Wording of the Fleischner glossary, as in findings.csv of the lexicon.'));
}

const USABLE_KEY = /^(?:\D|F\d{1,2}|Home|End|PageUp|PageDown|Insert|Arrow(?:Up|Down|Left|Right))$/u;

// Every action with its key; a click and a press change it.
class KeySheet {
  constructor({ root, actions, keys, findings, save }) {
    Object.assign(this, { actions, save, keys: { ...keys } });
    this.note = el('p', { class: 'soft', role: 'status' }, 'Click a key, then press another. Digits, Tab, Escape and Enter are fixed.');
    this.list = el('div', { class: 'key-list' });
    this.draw(findings);
    const reset = el('button', { type: 'button', onclick: () => this.reset(findings) }, 'Default keys');
    this.dialog = openDialog(root, 'Keys', this.list, this.note, el('div', { class: 'buttons' }, reset));
    this.dialog.addEventListener('keydown', (event) => this.pressed(event, findings), true);
  }

  keyOf(action) { return this.keys[action.action] ?? action.key; }

  draw(findings) {
    const groups = Map.groupBy ? Map.groupBy(this.actions, (a) => a.group) : this.grouped();
    const fixed = [
      [`1–${Math.min(9, findings.length)}`, 'Toggle a finding: present or absent (with shift: uncertain)'],
      ['Tab', 'Next mention (with shift: the one before)'],
    ];
    this.list.replaceChildren(...[...groups].map(([name, actions]) => el('section', {}, el('h3', {}, name),
      ...(name === 'Findings' ? [this.fixed(fixed[0])] : []), ...(name === 'Words' ? [this.fixed(fixed[1])] : []),
      ...actions.map((action) => this.row(action)))));
  }

  grouped() {
    const groups = new Map();
    for (const action of this.actions) groups.set(action.group, [...(groups.get(action.group) ?? []), action]);
    return groups;
  }

  fixed([key, meaning]) { return el('div', { class: 'key-row' }, el('kbd', {}, key), el('span', {}, meaning)); }

  row(action) {
    const key = el('button', {
      type: 'button', class: 'key', 'aria-label': `${action.meaning}: ${keyName(this.keyOf(action))}. Change`, onclick: () => this.wait(action, key),
    }, keyName(this.keyOf(action)));
    return el('div', { class: 'key-row', 'data-action': action.action }, key, el('span', {}, action.meaning));
  }

  wait(action, key) {
    this.waiting = action;
    for (const other of this.list.querySelectorAll('.waiting')) other.classList.remove('waiting');
    key.classList.add('waiting');
    setText(this.note, `Press the new key for: ${action.meaning}`);
  }

  pressed(event, findings) {
    if (!this.waiting || ['Shift', 'Control', 'Alt', 'Meta', 'AltGraph'].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const action = this.waiting;
    this.waiting = null;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const taken = this.actions.find((other) => other !== action && this.keyOf(other) === key);
    const usable = key === action.key || USABLE_KEY.test(key); // as in desk_keys.py
    const stopped = key === 'Escape' ? 'Nothing was changed.' : '';
    const problem = stopped || (taken ? `${keyName(key)} is used: ${taken.meaning}` : usable ? '' : `${keyName(key)} cannot be changed`);
    if (!problem) this.keys[action.action] = key;
    setText(this.note, problem || 'Saved.');
    this.draw(findings);
    this.list.querySelector(`[data-action="${action.action}"] .key`).focus(); // it was drawn anew
    if (!problem) this.save(this.keys);
  }

  reset(findings) {
    this.keys = {};
    this.draw(findings);
    this.save(this.keys);
  }
}

// The menu beside marked words: which finding, what the text says of it, and whether the lexicon should know it.
class MarkMenu {
  constructor({ root, rules, looks, add }) {
    Object.assign(this, { root, add });
    this.assertion = 'present';
    this.kinds = rules.assertions.map((assertion) => el('label', {},
      el('input', { type: 'radio', name: 'desk-assertion', value: assertion, onchange: () => { this.assertion = assertion; } }), STATE_WORDS[assertion]));
    this.offer = el('input', { type: 'checkbox' });
    const findings = [...rules.findings, rules.covid].map((look, index) => el('button', {
      type: 'button', class: 'finding-button', 'data-finding': look.key, title: looks.get(look.key).name, onclick: () => this.take(look.key),
    }, index < rules.findings.length && index < 9 ? el('kbd', {}, String(index + 1)) : el('kbd', {}, 'V'), ' ', look.name));
    this.element = el('div', { class: 'mark-menu', role: 'dialog', 'aria-label': 'Add a mention', onkeydown: (event) => this.key(event, rules) },
      el('div', { class: 'mark-kinds', role: 'radiogroup', 'aria-label': 'What the text says' }, ...this.kinds),
      el('div', { class: 'mark-findings' }, ...findings),
      el('label', { class: 'soft' }, this.offer, ' offer these words to the lexicon'));
  }

  open(start, end, box) {
    Object.assign(this, { start, end, assertion: 'present' });
    this.kinds[0].firstChild.checked = true;
    this.offer.checked = false;
    this.root.append(this.element);
    const place = this.root.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const below = box.bottom - place.top + 6;
    const top = below + height > place.height ? Math.max(0, box.top - place.top - height - 6) : below;
    this.element.style.top = `${top}px`;
    this.element.style.left = `${Math.max(0, Math.min(box.left - place.left, place.width - width - 8))}px`;
    this.element.querySelector('.finding-button').focus({ preventScroll: true });
  }

  get isOpen() { return this.element.isConnected; }

  close() {
    this.element.remove();
    document.getSelection().removeAllRanges();
  }

  take(finding) {
    const { start, end, assertion } = this;
    const offered = this.offer.checked;
    this.close();
    this.add(finding, assertion, start, end, offered);
  }

  key(event, rules) {
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    const finding = digit ? rules.findings[Number(digit[1]) - 1] : event.key.toLowerCase() === 'v' ? rules.covid : null;
    if (event.key === 'Escape') {
      this.close();
      this.root.focus({ preventScroll: true });
    } else if (finding) this.take(finding.key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
