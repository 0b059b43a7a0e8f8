// Layout of the desk: built once, told what changes.

const BUILDING = {
  build() {
    const keyOf = (action) => this.keyOf(action);
    const { rules, looks } = this;
    this.headline = new Headline({ toggleKeys: () => this.switchKeys(), openSheet: () => this.openKeys() });
    this.stage = new Stage({
      looks, boxAdded: (box) => this.boxAdded(box), boxMoved: (index, box) => this.edit((work) => { work.boxes[index] = box; }),
      windowChanged: (window) => this.tools?.windowIs(window),
    });
    this.tools = new ImageTools({
      keyOf, stage: () => this.stage, preset: (name) => this.stage.preset(name), zoom: (factor) => this.stage.zoom(factor),
      fit: () => this.current && this.stage.fit(), box: () => this.drawBox(),
    });
    this.strip = new Strip({ open: (id) => this.open(id) });
    this.caption = new Caption({ looks, choose: (index) => this.choose(index), marked: (start, end, box) => this.menu.open(start, end, box) });
    this.chips = new Chips({
      rules, keyOf, toggle: (key, unsure) => this.edit((work) => work.toggle(key, unsure)),
      turnCovid: () => this.edit((work) => work.turnCovid()), guideline: (key) => this.guideline(key),
    });
    this.why = new Provenance({
      looks, keyOf, assertions: rules.assertions,
      change: (assertion) => this.edit((work) => work.assertChosen(assertion)), remove: () => this.edit((work) => work.deleteChosen()),
    });
    this.decisions = new Decisions({
      keyOf, decide: (action) => this.decide(action), undo: () => this.undo(), flag: () => this.flag(),
      comment: (text) => this.edit((work) => { work.comment = text; }), left: () => this.root.focus({ preventScroll: true }),
    });
    this.arrange();
    this.menu = new MarkMenu({ root: this.root, rules, looks, add: (...mention) => this.addMention(...mention) });
    this.headline.keysAre(this.keysOn);
  },

  arrange() {
    this.notices = el('div', { class: 'notices', role: 'alert' });
    const left = el('section', { class: 'side', 'aria-label': 'Image' }, this.stage.element, this.tools.element, this.strip.element);
    const right = el('section', { class: 'side', 'aria-label': 'Text and labels' },
      this.caption.pane, this.why.element, this.chips.element, this.decisions.element);
    this.body = el('div', { class: 'body', hidden: true }, left, right);
    this.empty = el('div', { class: 'empty' });
    this.root = el('section', { class: 'desk', tabindex: '-1', 'aria-label': 'Labelling desk' }, this.headline.element, this.notices, this.body, this.empty);
    this.root.append(this.styleOfFindings());
    this.mount.replaceChildren(this.root);
  },

  // Colours come from findings.csv, with a readable ink and tint for each theme.
  styleOfFindings() {
    const rule = (theme) => ([key, look]) => `.desk.${theme} [data-finding="${CSS.escape(key)}"] { --ink: ${look[theme].ink}; --tint: ${look[theme].tint}; }`;
    return el('style', {}, ['light', 'dark'].flatMap((theme) => [...this.looks].map(rule(theme))).join('\n'));
  },

  theme() {
    const colour = getComputedStyle(this.mount).getPropertyValue('--st-background-color').trim();
    const probe = document.createElement('canvas').getContext('2d');
    probe.fillStyle = colour || '#ffffff';
    probe.fillRect(0, 0, 1, 1);
    const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
    const dark = 0.299 * red + 0.587 * green + 0.114 * blue < 128;
    this.root.classList.toggle('dark', dark);
    this.root.classList.toggle('light', !dark);
  },

  // The desk takes the window's height; where it is narrow (or zoomed to 200 %), one column that scrolls.
  fitWindow() {
    this.root.classList.toggle('narrow', window.innerWidth < 900 || window.innerHeight < 480);
    const scrolled = this.mount.closest('[data-testid="stMain"]')?.scrollTop ?? 0;
    const top = Math.max(0, this.root.getBoundingClientRect().top + scrolled);
    this.root.style.setProperty('--desk-height', `${Math.max(420, window.innerHeight - top - 10)}px`);
  },
};
