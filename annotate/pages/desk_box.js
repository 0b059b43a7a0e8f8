// Boxes around findings, in pixels of the file: drawn with the pointer or placed with keys, chosen, moved, resized.

const STEP = 8; // pixels on screen by one key: the closer one looks, the finer

const BOXES = {
  startDrawing(finding) {
    if (!this.isSeen) return;
    this.stopDrawing();
    this.drawing = finding;
    this.element.classList.add('drawing');
    this.chooseBox(-1);
  },

  letGo() {
    this.drawing = null;
    this.drag = null;
    this.ghost = null;
    this.element.classList.remove('drawing');
  },

  stopDrawing() {
    this.letGo();
    if (!this.image) return;
    this.drawBoxes();
    this.tell();
  },

  chooseBox(index) {
    this.chosenBox = index;
    this.drawBoxes();
    this.tell();
  },

  // From box to box, and after the last one to none.
  nextBox() {
    this.stopDrawing();
    this.chooseBox(this.chosenBox + 1 < this.work.boxes.length ? this.chosenBox + 1 : -1);
    if (this.chosenBox >= 0) this.bringIntoView(this.work.boxes[this.chosenBox]);
  },

  boxWords() {
    const how = 'arrow keys move it, with shift they resize it';
    const words = (box) => `${this.nameOf(box.finding)}: ${[box.left, box.top].join(', ')} to ${[box.right, box.bottom].join(', ')}; ${how}`;
    if (this.drawing) {
      return this.ghost ? `${words(this.ghost)}, Enter keeps it` : `Drag a box for ${this.nameOf(this.drawing)}, or place it with the arrow keys; Escape stops`;
    }
    const chosen = this.work.boxes[this.chosenBox];
    return chosen ? words(chosen) : '';
  },

  nameOf(finding) { return this.looks.get(finding)?.name ?? finding; },

  // A key moves or resizes the box in hand; false where none is. The first one lays a new box in the middle.
  pushBox(way, resize) {
    const chosen = this.work?.boxes[this.chosenBox];
    if (!this.isSeen || !(this.drawing || chosen)) return false;
    if (chosen && !this.drawing) this.boxMoved(this.chosenBox, this.pushed(chosen, way, resize));
    else this.ghost = this.ghost ? this.pushed(this.ghost, way, resize) : this.firstBox();
    this.bringIntoView(this.ghost ?? this.work.boxes[this.chosenBox]);
    this.drawBoxes();
    this.tell();
    return true;
  },

  pushed({ finding, left, top, right, bottom }, { x, y }, resize) {
    const { naturalWidth: width, naturalHeight: height } = this.image.element;
    const step = Math.max(1, Math.round(STEP / this.view.scale));
    const within = (value, low, high) => Math.max(low, Math.min(high, value));
    if (resize) {
      return { finding, left, top, right: within(right + x * step, left + 1, width), bottom: within(bottom + y * step, top + 1, height) };
    }
    const [dx, dy] = [within(x * step, -left, width - right), within(y * step, -top, height - bottom)];
    return { finding, left: left + dx, top: top + dy, right: right + dx, bottom: bottom + dy };
  },

  // A quarter of what is in sight, in its middle.
  firstBox() {
    const [low, high] = [this.pixel({ x: 0, y: 0 }), this.pixel({ x: this.size.width, y: this.size.height })];
    const part = (from, to) => [Math.floor(from + (3 * (to - from)) / 8), Math.ceil(from + (5 * (to - from)) / 8)];
    const [[left, right], [top, bottom]] = [part(low.x, high.x), part(low.y, high.y)];
    return { finding: this.drawing, left, top, right, bottom };
  },

  bringIntoView({ left, top, right, bottom }) {
    if (this.fitted) return;
    const { scale, x, y } = this.view;
    const shift = (low, high, length) => (low < 0 ? -low : Math.min(0, length - high));
    this.place(scale, x + shift(x + left * scale, x + right * scale, this.size.width), y + shift(y + top * scale, y + bottom * scale, this.size.height));
  },

  // Enter: false where no box was placed with keys.
  keepGhost() {
    const box = this.ghost;
    if (!box || this.drag) return false;
    this.stopDrawing();
    this.boxAdded(box);
    return true;
  },

  drawBoxes() {
    const { naturalWidth: width, naturalHeight: height } = this.image.element;
    setAttribute(this.boxes, 'viewBox', `0 0 ${width || 1} ${height || 1}`);
    setAttribute(this.boxes, 'width', width || 1);
    setAttribute(this.boxes, 'height', height || 1);
    const shown = [...this.work.boxes, ...(this.ghost ? [this.ghost] : [])];
    const count = this.work.boxes.length;
    setAttribute(this.element, 'aria-label', `Image ${this.work.record.image}${count ? ` with ${count} box${count === 1 ? '' : 'es'}` : ''}`);
    if (!shown.length && !this.boxes.firstChild) return;
    this.boxes.replaceChildren(...shown.map((box, index) => this.rectangle(box, index)));
    this.codes.replaceChildren(...shown.map((box) => el('span', {
      class: 'box-code', style: `left: ${box.left}px; top: ${box.top}px`,
    }, this.looks.get(box.finding)?.code ?? box.finding)));
  },

  rectangle({ left, top, right, bottom }, index) {
    const held = index === this.chosenBox || index === this.work.boxes.length; // the last one is being drawn
    return svgEl('rect', {
      x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top),
      class: held ? 'box chosen' : 'box', 'data-box': index,
    });
  },
};
