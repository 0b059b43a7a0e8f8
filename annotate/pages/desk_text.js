// The caption: mentions coloured, coded and marked by state, the cue of the chosen one framed. Text nodes hold
// the caption and nothing else (codes are drawn by CSS), so that a selection's offsets are the caption's own.

const STATE_WORDS = {
  present: 'present', negated: 'negated', uncertain: 'uncertain', resolved: 'resolved',
  absent: 'absent', not_mentioned: 'not mentioned',
};

class Caption {
  constructor({ looks, choose, marked }) {
    this.looks = looks; // key → {name, code}
    this.choose = choose;
    this.pane = el('div', {
      class: 'caption', role: 'region', 'aria-label': 'Caption', tabindex: '0',
      onpointerdown: () => { this.pointed = true; }, // a drag may begin on a mention: nothing is drawn anew under it
      onmouseup: () => this.selected(marked),
      onclick: (event) => { this.pointed = false; this.clicked(event); },
      onfocusin: (event) => { if (!this.pointed) this.clicked(event, true); },
    });
  }

  show(work) {
    this.work = work;
    const { chosen, mentions } = work;
    const drawn = [work.id, chosen, ...mentions.map((m) => `${m.finding}${m.assertion}${m.start}-${m.end}`)].join();
    if (drawn === this.drawn) return; // a toggled chip must not lay out a long text again
    this.drawn = drawn;
    const focused = this.pane.contains(document.activeElement) && document.activeElement !== this.pane;
    this.render();
    if (focused && work.chosen >= 0) this.focus(work.chosen);
  }

  render() {
    const { record, mentions, chosen, offsets } = this.work;
    if (!record.caption) {
      this.pane.replaceChildren(el('p', { class: 'soft' }, 'This image has no text.'));
      return;
    }
    const spans = mentions.map((m) => [offsets.toUnit(m.start), offsets.toUnit(m.end)]);
    const cue = this.cueOf(mentions[chosen], offsets);
    const edges = new Set([0, record.caption.length]);
    for (const span of [...spans, ...(cue ? [cue] : [])]) span.forEach((edge) => edges.add(edge));
    const cuts = [...edges].filter((edge) => edge <= record.caption.length).sort((a, b) => a - b);
    this.draw(cuts, spans, cue);
  }

  // One pass over the cuts with the mentions that are open: a long text with few mentions costs next to nothing.
  draw(cuts, spans, cue) {
    const pieces = document.createDocumentFragment();
    let open = [];
    let next = 0;
    for (let i = 0; i + 1 < cuts.length; i += 1) {
      const [low, high] = [cuts[i], cuts[i + 1]];
      open = open.filter((index) => spans[index][1] > low);
      for (; next < spans.length && spans[next][0] <= low; next += 1) {
        if (spans[next][1] > low) open.push(next);
      }
      const inCue = cue && cue[0] <= low && high <= cue[1];
      pieces.append(this.piece(low, high, open, spans, inCue));
    }
    this.pane.replaceChildren(pieces);
  }

  piece(low, high, open, spans, inCue) {
    const text = document.createTextNode(this.work.record.caption.slice(low, high));
    if (!open.length) return inCue ? el('span', { class: 'cue' }, text) : text;
    const { mentions, chosen } = this.work;
    const top = open.includes(chosen) ? chosen : open[open.length - 1];
    const mention = mentions[top];
    const look = this.looks.get(mention.finding);
    const ending = open.filter((index) => spans[index][1] === high);
    const starts = open.filter((index) => spans[index][0] === low);
    const element = el('mark', {
      class: `mention ${mention.assertion}${top === chosen ? ' chosen' : ''}${inCue ? ' cue' : ''}`,
      'data-finding': mention.finding,
      'data-mentions': open.join(' '),
      'data-code': ending.map((index) => this.codeOf(mentions[index])).join(' ') || null,
      tabindex: starts.length ? '0' : null,
      role: starts.length ? 'button' : null,
      'aria-label': starts.length
        ? `${look.name}, ${STATE_WORDS[mention.assertion]}: ${this.work.textOf(mention.start, mention.end)}` : null,
      'aria-pressed': starts.length ? String(top === chosen) : null,
    }, el('span', { class: 'words' }, text));
    if (open.length > 1) element.classList.add('several');
    return element;
  }

  codeOf(mention) {
    const sign = { negated: '✕', uncertain: '?', resolved: '↺', present: '' }[mention.assertion] ?? '';
    return this.looks.get(mention.finding).code + sign;
  }

  cueOf(mention, offsets) {
    if (!mention || typeof mention.cue_start !== 'number' || typeof mention.cue_end !== 'number') return null;
    return [offsets.toUnit(mention.cue_start), offsets.toUnit(mention.cue_end)];
  }

  // Several mentions on one stretch take turns.
  clicked(event, focus = false) {
    const mark = event.target instanceof Element ? event.target.closest('[data-mentions]') : null;
    if (!mark || !this.pane.contains(mark) || !document.getSelection().isCollapsed) return;
    const here = mark.dataset.mentions.split(' ').map(Number);
    const place = here.indexOf(this.work.chosen);
    if (focus && place >= 0) return;
    this.choose(here[(place + 1) % here.length]);
  }

  // Whether arrow keys scroll the text there.
  scrolls(target) { return this.pane.contains(target) && this.pane.scrollHeight > this.pane.clientHeight; }

  markOf(index) {
    return [...this.pane.querySelectorAll('[data-mentions]')].find((each) => each.dataset.mentions.split(' ').includes(String(index)));
  }

  focus(index) {
    const mark = this.markOf(index);
    if (mark && mark.tabIndex === 0) mark.focus({ preventScroll: true });
  }

  scrollTo(index) {
    const mark = this.markOf(index);
    if (!mark) return;
    const [pane, box] = [this.pane.getBoundingClientRect(), mark.getBoundingClientRect()];
    if (box.top < pane.top || box.bottom > pane.bottom) this.pane.scrollTop += box.top - pane.top - 40;
  }

  // What was marked with the pointer, as code points of the caption.
  selected(marked) {
    const selection = document.getSelection();
    if (!this.work || !this.work.record.caption || selection.isCollapsed || !selection.rangeCount) return;
    const range = selection.getRangeAt(0);
    if (!this.pane.contains(range.startContainer) || !this.pane.contains(range.endContainer)) return;
    const before = document.createRange();
    before.selectNodeContents(this.pane);
    before.setEnd(range.startContainer, range.startOffset);
    let start = before.toString().length;
    let end = start + range.toString().length;
    const text = this.work.record.caption;
    while (start < end && /\s/.test(text[start])) start += 1;
    while (end > start && /\s/.test(text[end - 1])) end -= 1;
    if (start === end) return;
    const { offsets } = this.work;
    marked(offsets.toPoint(start), offsets.toPoint(end), range.getBoundingClientRect());
  }
}
