// Beside image and caption: why a mention is there, the patient's other images, windows.

const PLACES = [['panel', 'panel'], ['section', 'section'], ['modality', ''], ['laterality', ''], ['lobe', '']];

// ---- why: the chosen mention, and what it can become

class Provenance {
  constructor({ looks, change, remove, keyOf, assertions }) {
    this.looks = looks;
    this.words = el('div', { class: 'why-words' });
    this.buttons = assertions.map((assertion) => button(STATE_WORDS[assertion], assertion, () => change(assertion), keyOf, { class: 'small' }));
    this.tools = el('div', { class: 'why-tools' }, ...this.buttons, button('delete', 'delete', remove, keyOf, { class: 'small' }));
    this.element = el('section', { class: 'why', 'aria-label': 'Why: the chosen mention', 'aria-live': 'polite' }, this.words, this.tools);
  }

  show(work) {
    const mention = work.mentions[work.chosen];
    this.tools.hidden = !mention;
    if (!mention) {
      const count = work.mentions.length;
      const key = el('kbd', {}, 'Tab');
      this.words.replaceChildren(...(count ? [`${plural(count, 'mention')}: `, key, ' or a click shows why. Mark words to add one.']
        : [work.record.caption ? 'No finding is mentioned. Mark words with the pointer to add one.' : '']));
      this.words.className = 'why-words soft';
      return;
    }
    const look = this.looks.get(mention.finding);
    this.words.className = 'why-words';
    this.words.replaceChildren(
      el('strong', { class: 'finding-ink', 'data-finding': mention.finding }, look.name), ` is ${STATE_WORDS[mention.assertion]}`,
      el('dl', {}, ...this.facts(mention, work).map(([name, value]) => el('div', { title: value }, el('dt', {}, name), el('dd', {}, value)))));
    for (const each of this.buttons) setAttribute(each, 'aria-pressed', String(each.dataset.action === mention.assertion));
  }

  facts(mention, work) {
    const term = [mention.term, mention.match === 'fuzzy' ? `(fuzzy, ${mention.score} of 100)` : mention.match && `(${mention.match})`];
    const where = PLACES.filter(([name]) => mention[name]).map(([name, word]) => `${word} ${mention[name]}`.trim()).join(', ');
    return [
      ['term', term.filter(Boolean).join(' ')],
      ['cue', mention.cue || 'none'],
      ['rule', mention.rule === BY_HAND ? 'set by a person' : mention.rule],
      ['where', where],
      ['lexicon', mention.rule === BY_HAND ? '' : work.record.lexicon_version],
    ].filter(([, value]) => value);
  }
}

// ---- the patient's other images

class Strip {
  constructor({ open }) {
    this.open = open;
    this.element = el('nav', { class: 'strip', 'aria-label': 'Images of the patient' });
    this.timer = 0;
  }

  // Small pictures are fetched once the annotator rests on a record: a burst of keys asks for none.
  show(work) {
    clearTimeout(this.timer);
    const { record } = work;
    const all = [{ id: record.id, image: record.image, panel: record.panel, thumbnail: record.thumbnail, here: true }, ...record.relatives];
    this.element.hidden = all.length === 1;
    if (this.shown === record.id) return;
    this.shown = record.id;
    this.element.replaceChildren();
    if (all.length > 1) this.timer = setTimeout(() => this.draw(inOrder(all)), 120);
  }

  draw(all) {
    this.element.replaceChildren(...all.map((each) => {
      const label = `${each.panel ? `Panel ${each.panel}: ` : ''}${each.image}${each.mine ? ', done' : ''}`;
      const picture = el('img', { alt: '', loading: 'lazy', src: each.thumbnail, onerror: (event) => event.target.remove() });
      return el('button', {
        type: 'button', class: `tile${each.here ? ' here' : ''}`, title: label, 'aria-label': label,
        'aria-current': each.here ? 'true' : null, onclick: () => !each.here && this.open(each.id),
      }, each.thumbnail ? picture : '', el('span', {}, each.panel || '', each.mine ? ' ✓' : ''));
    }));
  }
}

// Panels of a figure are named alike: by name they lie side by side.
function inOrder(images) {
  return [...images].sort((a, b) => a.image.localeCompare(b.image, 'en', { numeric: true }) || a.id - b.id);
}

// ---- windows of the image

class ImageTools {
  constructor({ stage, preset, zoom, fit, box, keyOf }) {
    this.level = this.slider('Brightness', 0, 1, (value) => stage().setWindow({ ...stage().window, level: 1 - value }));
    this.width = this.slider('Contrast', -1, 3, (value) => stage().setWindow({ ...stage().window, width: 2 ** -value }));
    const tools = [
      button('Whole', 'window_whole', () => preset('whole'), keyOf, { class: 'small' }),
      button('Lung', 'window_lung', () => preset('lung'), keyOf, { class: 'small' }),
      button('Bone', 'window_bone', () => preset('bone'), keyOf, { class: 'small' }),
      this.level.label, this.width.label,
      button('Fit', 'fit', fit, keyOf, { class: 'small' }),
      el('button', { type: 'button', class: 'small', 'aria-label': 'Zoom out', onclick: () => zoom(1 / 1.25) }, '−'),
      el('button', { type: 'button', class: 'small', 'aria-label': 'Zoom in', onclick: () => zoom(1.25) }, '+'),
      button('Box', 'box', box, keyOf, { class: 'small' }),
    ];
    this.element = el('div', { class: 'image-tools', role: 'toolbar', 'aria-label': 'Image' }, ...tools);
  }

  slider(name, min, max, change) {
    const input = el('input', { type: 'range', min, max, step: '0.01', 'aria-label': name, oninput: (event) => change(Number(event.target.value)) });
    return { input, label: el('label', { class: 'slider' }, name, input) };
  }

  windowIs({ level, width }) {
    this.level.input.value = 1 - level;
    this.width.input.value = -Math.log2(width);
  }
}
