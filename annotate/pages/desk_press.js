// Keys: each press once, never while typing, all of them changeable.

const PRESSING = {
  keyOf(action) {
    return this.data.settings.keys[action] ?? this.data.actions.find((each) => each.action === action)?.key ?? '';
  },

  key(event) {
    if (!this.root.isConnected || document.querySelector('dialog[open], [data-testid="stDialog"]')) return;
    if (isTyping(event.target) || event.isComposing || (this.menu.isOpen && this.menu.element.contains(event.target))) return;
    const altGraph = event.getModifierState && event.getModifierState('AltGraph');
    if (event.metaKey || ((event.ctrlKey || event.altKey) && !altGraph)) return;
    const ours = event.key === 'Escape' ? this.escape()
      : this.boxKey(event) || (this.keysOn && !this.isNative(event) && this.press(event));
    if (!ours) return;
    event.preventDefault();
    event.stopPropagation();
  },

  // A press beside the menu of marked words closes it.
  pointed(event) {
    if (this.menu.isOpen && this.root.contains(event.target) && !this.menu.element.contains(event.target)) this.menu.close();
  },

  // What a focused button, link or slider does with a key of its own; and whatever lies outside the desk.
  isNative(event) {
    if (!this.root.contains(event.target)) return !event.target.contains(this.root);
    const control = event.target.closest('button, a, input, summary, [role="tab"], [role="combobox"]');
    if (!control) return false;
    const slider = control.tagName === 'INPUT';
    return [' ', 'Enter', 'Tab', ...(slider ? ['Home', 'End', 'PageUp', 'PageDown'] : [])].includes(event.key) || (slider && event.key.startsWith('Arrow'));
  },

  escape() {
    if (this.menu.isOpen) this.menu.close();
    else if (this.stage.drawing) this.stage.stopDrawing();
    else if (this.stage.chosenBox >= 0) this.stage.chooseBox(-1);
    else if (this.current && this.current.chosen >= 0) this.choose(-1);
    else return false;
    return true;
  },

  // A box in hand takes arrows and Enter, with the single keys switched off, too.
  boxKey(event) {
    if (event.target !== document.body && !this.root.contains(event.target)) return false;
    if (event.key === 'Enter') return this.stage.keepGhost();
    const way = WAYS[this.actionOf(plainKey(event))];
    return Boolean(way) && !this.isNative(event) && this.stage.pushBox(way, event.shiftKey);
  },

  // True when the key is ours; a held key is ours, too, and counts once.
  press(event) {
    if (event.key === 'Tab') return this.tab(event);
    const digit = !event.getModifierState('AltGraph') && /^(?:Digit|Numpad)([1-9])$/.exec(event.code); // by place: other layouts need shift for digits
    const finding = digit && this.rules.findings[digit[1] - 1];
    if (finding) {
      if (!event.repeat) this.edit((work) => work.toggle(finding.key, event.shiftKey));
      return true;
    }
    const action = this.actionOf(plainKey(event));
    if (!action) return false;
    if (WAYS[action]) return !this.caption.scrolls(event.target) && this.stage.pan(WAYS[action]);
    if (!event.repeat || action.startsWith('zoom')) this.act(action);
    return true;
  },

  actionOf(key) {
    const found = this.data.actions.find((each) => this.keyOf(each.action) === key);
    return found ? found.action : { Backspace: 'undo', Delete: 'delete', '=': 'zoom_in', _: 'zoom_out', e: 'box' }[key];
  },

  act(action) {
    if (action === 'undo') this.undo();
    else if (action === 'sheet') this.openKeys();
    else if (!this.current) return;
    else if (this.rules.assertions.includes(action)) this.edit((work) => work.assertChosen(action));
    else ACTIONS[action](this);
  },

  // From mention to mention; after the last one Tab goes on through the page, so that it is no trap.
  tab(event) {
    if (!this.current || !this.current.mentions.length) return false;
    const inside = event.target === document.body || this.root.contains(event.target);
    const next = this.current.chosen + (event.shiftKey ? -1 : 1);
    if (!inside || next < 0 || next >= this.current.mentions.length) return false;
    this.choose(next);
    this.caption.focus(next);
    return true;
  },

  guideline(key) {
    const finding = this.rules.findings.find((each) => each.key === (key ?? this.current?.finding));
    if (finding) guidelineSheet(this.root, finding);
  },

  openKeys() {
    new KeySheet({
      root: this.root, actions: this.data.actions, keys: this.data.settings.keys, findings: this.rules.findings,
      save: (keys) => this.saveSettings({ keys }),
    });
  },

  switchKeys() {
    this.keysOn = !this.keysOn;
    this.headline.keysAre(this.keysOn);
    this.saveSettings({});
  },

  async saveSettings(changed) {
    this.data.settings = { ...this.data.settings, ...changed, keys_on: this.keysOn };
    this.relabelKeys();
    const { status, answer } = await this.post('settings', this.data.settings);
    if (status !== 200) this.say(`The keys are not saved: ${answer.error}.`);
  },

  relabelKeys() {
    for (const each of this.root.querySelectorAll('button[data-action]')) {
      const key = this.keyOf(each.dataset.action);
      setText(each.querySelector('kbd'), keyName(key));
      setAttribute(each, 'aria-keyshortcuts', shortcutName(key));
    }
    this.decisions.comment.placeholder = `Comment (${keyName(this.keyOf('comment'))})`;
  },
};

function plainKey(event) { return event.key.length === 1 ? event.key.toLowerCase() : event.key; }

const WAYS = {
  pan_left: { x: -1, y: 0 }, pan_right: { x: 1, y: 0 }, pan_up: { x: 0, y: -1 }, pan_down: { x: 0, y: 1 },
};
const ACTIONS = {
  confirm: (desk) => desk.decide('confirm'),
  nothing: (desk) => desk.decide('nothing'),
  skip: (desk) => desk.decide('skip'),
  flag: (desk) => desk.flag(),
  comment: (desk) => desk.decisions.comment.focus(),
  covid: (desk) => desk.edit((work) => work.turnCovid()),
  box: (desk) => desk.drawBox(),
  next_box: (desk) => desk.stage.nextBox(),
  guideline: (desk) => desk.guideline(),
  delete: (desk) => desk.remove(),
  previous: (desk) => desk.turnPanel(-1),
  next: (desk) => desk.turnPanel(1),
  zoom_in: (desk) => desk.stage.zoom(1.25),
  zoom_out: (desk) => desk.stage.zoom(0.8),
  fit: (desk) => desk.stage.fit(),
  window_whole: (desk) => desk.stage.preset('whole'),
  window_lung: (desk) => desk.stage.preset('lung'),
  window_bone: (desk) => desk.stage.preset('bone'),
};
