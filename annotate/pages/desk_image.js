// The image: fit, zoom, pan, windows.

const WINDOWS = { // level and width of the shown range, of 0 black to 1 white
  whole: { level: 0.5, width: 1 },
  lung: { level: 0.3, width: 0.6 },
  bone: { level: 0.72, width: 0.56 },
};
const CLOSEST = 24;
const PAN = 0.12; // of the stage, by one key

class Stage {
  constructor({ looks, boxAdded, boxMoved, windowChanged }) {
    Object.assign(this, { looks, boxAdded, boxMoved, windowChanged });
    this.window = { ...WINDOWS.whole };
    this.size = { width: 0, height: 0 };
    this.view = { scale: 1, x: 0, y: 0 };
    this.fitted = true;
    this.drawing = null; // finding
    this.chosenBox = -1;
    this.boxes = svgEl('svg', { class: 'boxes', 'aria-hidden': 'true' });
    this.codes = el('div', { class: 'codes', 'aria-hidden': 'true' });
    this.canvas = el('div', { class: 'canvas' });
    this.note = el('p', { class: 'stage-note', role: 'status' });
    this.element = el('div', { class: 'stage', role: 'img', 'aria-label': 'Image' }, this.canvas, this.note);
    this.watch = new ResizeObserver(([entry]) => this.resized(entry.contentRect));
    this.watch.observe(this.element);
    this.listen();
  }

  close() { this.watch.disconnect(); }

  show(work, image) {
    this.work = work;
    this.image = image;
    this.chosenBox = -1;
    this.letGo();
    this.window = { ...WINDOWS.whole };
    if (image.element !== this.canvas.firstChild || this.canvas.childElementCount < 2) {
      this.canvas.replaceChildren(image.element, this.boxes, this.codes);
    }
    this.ready();
    if (!image.element.complete) image.loaded.then(() => this.image === image && this.ready());
  }

  clear() {
    this.work = null;
    this.image = null;
    this.canvas.replaceChildren();
    this.tell();
  }

  ready() {
    const { element } = this.image;
    element.style.filter = '';
    this.windowChanged(this.window);
    this.fit();
    this.drawBoxes();
    this.tell();
  }

  // Whether the picture is on screen: only then does confirming say that it was seen.
  get isSeen() { return Boolean(this.image?.element.complete && this.image.element.naturalWidth); }

  // What is to be said of the image, over it.
  tell() {
    const state = this.isSeen ? 'seen' : this.image?.failed ? 'failed' : this.image ? 'loading' : 'none';
    this.element.dataset.image = state;
    setText(this.note, { seen: () => this.boxWords(), failed: () => this.image.failed, loading: () => 'The image is being loaded …', none: () => '' }[state]());
  }

  resized({ width, height }) {
    this.size = { width, height };
    if (this.image) this.fit();
  }

  fit() {
    const { naturalWidth: width, naturalHeight: height } = this.image.element;
    const there = Boolean(width && this.size.width);
    this.canvas.style.visibility = there ? '' : 'hidden'; // the browser paints what has come, wherever it lay before
    if (!there) return;
    const scale = Math.min(this.size.width / width, this.size.height / height);
    this.fitted = true;
    this.place(scale, (this.size.width - width * scale) / 2, (this.size.height - height * scale) / 2);
  }

  place(scale, x, y) {
    this.view = { scale, x, y };
    this.canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.canvas.style.setProperty('--inverse', 1 / scale);
  }

  zoom(factor, at = { x: this.size.width / 2, y: this.size.height / 2 }) {
    const width = this.image?.element.naturalWidth;
    if (!width) return;
    const { scale, x, y } = this.view;
    const wanted = Math.max(0.5 * (this.size.width / width), Math.min(CLOSEST, scale * factor));
    this.fitted = false;
    this.place(wanted, at.x - (at.x - x) * (wanted / scale), at.y - (at.y - y) * (wanted / scale));
  }

  // By keys: false where there is nothing beside what is shown. The middle of the stage stays on the image.
  pan({ x, y }) {
    if (this.fitted || !this.isSeen) return false;
    const { scale } = this.view;
    const { naturalWidth, naturalHeight } = this.image.element;
    const within = (place, middle, length) => Math.max(middle - length * scale, Math.min(middle, place));
    const { width, height } = this.size;
    this.place(scale, within(this.view.x - x * PAN * width, width / 2, naturalWidth),
      within(this.view.y - y * PAN * height, height / 2, naturalHeight));
    return true;
  }

  // The part [low, high] of the range is spread over black to white by two CSS filters; which comes first
  // depends on the sign of low, so that neither cuts what the other would have brought back.
  setWindow({ level, width }) {
    this.window = { level: Math.min(1, Math.max(0, level)), width: Math.min(2, Math.max(0.02, width)) };
    const low = this.window.level - this.window.width / 2;
    const slope = 1 / this.window.width;
    const shift = -low * slope;
    const contrastFirst = low < 0;
    const brightness = contrastFirst ? slope + 2 * shift : slope / (1 - 2 * shift);
    const contrast = contrastFirst ? slope / brightness : 1 - 2 * shift;
    const parts = [`contrast(${contrast})`, `brightness(${brightness})`];
    const whole = level === 0.5 && width === 1;
    if (this.image) {
      this.image.element.style.filter = whole ? '' : (contrastFirst ? parts : parts.reverse()).join(' ');
    }
    this.windowChanged(this.window);
  }

  preset(name) { this.setWindow(WINDOWS[name]); }
}

Object.assign(Stage.prototype, POINTING, BOXES);
