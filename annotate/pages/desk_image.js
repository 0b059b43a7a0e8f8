// The image: fit, zoom, pan, windows, and boxes in pixels of the file.

const WINDOWS = { // level and width of the shown range, of 0 black to 1 white
  whole: { level: 0.5, width: 1 },
  lung: { level: 0.3, width: 0.6 },
  bone: { level: 0.72, width: 0.56 },
};
const CLOSEST = 24;

class Stage {
  constructor({ looks, boxAdded, windowChanged }) {
    Object.assign(this, { looks, boxAdded, windowChanged });
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
    this.stopDrawing();
    this.window = { ...WINDOWS.whole };
    setAttribute(this.element, 'aria-label', `Image ${work.record.image}`);
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
    setText(this.note, '');
  }

  ready() {
    const { element, failed } = this.image;
    setText(this.note, failed || (element.naturalWidth ? '' : 'The image is being loaded …'));
    element.style.filter = '';
    this.windowChanged(this.window);
    this.fit();
    this.drawBoxes();
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

  startDrawing(finding) {
    if (!this.image || !this.image.element.naturalWidth) return;
    this.drawing = finding;
    this.element.classList.add('drawing');
    setText(this.note, `Drag a box for ${this.looks.get(finding).name}; Escape stops`);
  }

  stopDrawing() {
    this.drawing = null;
    this.drag = null;
    this.ghost = null;
    this.element.classList.remove('drawing');
    setText(this.note, this.image?.failed ?? '');
    if (this.image) this.drawBoxes();
  }

  chooseBox(index) {
    this.chosenBox = index;
    this.drawBoxes();
  }

  drawBoxes() {
    const { naturalWidth: width, naturalHeight: height } = this.image.element;
    setAttribute(this.boxes, 'viewBox', `0 0 ${width || 1} ${height || 1}`);
    setAttribute(this.boxes, 'width', width || 1);
    setAttribute(this.boxes, 'height', height || 1);
    const shown = [...this.work.boxes, ...(this.ghost ? [this.ghost] : [])];
    if (!shown.length && !this.boxes.firstChild) return;
    this.boxes.replaceChildren(...shown.map((box, index) => this.rectangle(box, index)));
    this.codes.replaceChildren(...shown.map((box) => el('span', {
      class: 'box-code', style: `left: ${box.left}px; top: ${box.top}px`,
    }, this.looks.get(box.finding)?.code ?? box.finding)));
  }

  rectangle({ left, top, right, bottom }, index) {
    return svgEl('rect', {
      x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top),
      class: index === this.chosenBox ? 'box chosen' : 'box', 'data-box': index,
    });
  }
}

Object.assign(Stage.prototype, POINTING);
