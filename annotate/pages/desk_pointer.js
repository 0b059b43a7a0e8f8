// The pointer on the image: the left button moves it or draws a box, the right one drags the window, the wheel zooms.

const SMALLEST_BOX = 4; // pixels on screen

const POINTING = {
  listen() {
    this.element.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    this.element.addEventListener('pointerdown', (event) => this.down(event));
    this.element.addEventListener('pointermove', (event) => this.move(event));
    this.element.addEventListener('pointerup', (event) => this.up(event));
    this.element.addEventListener('pointercancel', () => { this.drag = null; this.ghost = null; if (this.image) this.drawBoxes(); });
    this.element.addEventListener('contextmenu', (event) => event.preventDefault());
    this.element.addEventListener('dblclick', () => this.image && this.fit());
  },

  at(event) {
    const box = this.element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  },

  pixel({ x, y }) {
    const { naturalWidth: width, naturalHeight: height } = this.image.element;
    const within = (value, most) => Math.round(Math.min(most, Math.max(0, value)) * 10) / 10;
    return {
      x: within((x - this.view.x) / this.view.scale, width),
      y: within((y - this.view.y) / this.view.scale, height),
    };
  },

  wheel(event) {
    if (!this.image || (this.element.closest('.desk').classList.contains('narrow') && !event.ctrlKey)) return;
    event.preventDefault();
    this.zoom(Math.exp(-Math.sign(event.deltaY) * Math.min(0.4, Math.abs(event.deltaY) * 0.002)), this.at(event));
  },

  down(event) {
    if (!this.image || !this.image.element.naturalWidth) return;
    const box = event.target instanceof Element ? event.target.closest('[data-box]') : null;
    const kind = event.button === 2 ? 'window' : this.drawing ? 'box' : 'pan';
    if (event.button === 0 && !this.drawing) this.chooseBox(box ? Number(box.dataset.box) : -1);
    this.drag = { kind, from: this.at(event), view: { ...this.view }, window: { ...this.window } };
    this.element.setPointerCapture(event.pointerId);
  },

  move(event) {
    if (!this.drag) return;
    const { kind, from, view, window } = this.drag;
    const to = this.at(event);
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    if (kind === 'pan') {
      this.fitted = false;
      this.place(view.scale, view.x + dx, view.y + dy);
    } else if (kind === 'window') {
      this.setWindow({ level: window.level + dy / 500, width: window.width * Math.exp(dx / 250) });
    } else {
      this.ghost = this.boxBetween(from, to);
      this.drawBoxes();
    }
  },

  up(event) {
    const drag = this.drag;
    this.drag = null;
    if (!drag || drag.kind !== 'box') return;
    const to = this.at(event);
    const box = this.boxBetween(drag.from, to); // empty where it was drawn beside the image
    const large = Math.min(Math.abs(to.x - drag.from.x), Math.abs(to.y - drag.from.y)) >= SMALLEST_BOX && box.left < box.right && box.top < box.bottom;
    this.ghost = null;
    if (!large) {
      this.drawBoxes();
      this.tell();
      return;
    }
    this.stopDrawing();
    this.boxAdded(box);
  },

  boxBetween(from, to) {
    const [a, b] = [this.pixel(from), this.pixel(to)];
    return {
      finding: this.drawing, left: Math.min(a.x, b.x), top: Math.min(a.y, b.y),
      right: Math.max(a.x, b.x), bottom: Math.max(a.y, b.y),
    };
  },
};
