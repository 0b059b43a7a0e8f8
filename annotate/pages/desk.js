// The desk: holds the records to come, shows one, and turns keys into decisions. The next record is on screen in
// the same frame as the key; saving happens behind it. Its methods lie in several files, by what they are about.

class Desk {
  constructor(mount, component) {
    Object.assign(this, { mount, component, data: component.data, token: component.data.token });
    this.rules = component.data;
    this.looks = new Map([...this.data.findings, this.data.covid].map((look) => [look.key, look]));
    this.queue = []; // records to come
    this.past = []; // decided ones, the last at the end
    this.current = null;
    this.progress = { done: 0, left: 0 };
    this.actedAt = Date.now();
    this.shelf = new ImageShelf();
    this.keysOn = this.data.settings.keys_on !== false;
    this.build();
    this.outbox = new Outbox({
      place: `lesion-labels/${this.data.database}/${encodeURIComponent(this.data.user)}/`,
      send: (path, body) => this.post(path, body),
      answered: (op, ack) => this.answered(op, ack),
      changed: () => this.showSaved(),
      elsewhere: (id) => { this.queue = this.queue.filter((work) => work.id !== id); },
    });
    this.listen();
    this.theme();
    this.fitWindow();
    this.showSaved();
    this.start();
  }

  listen() {
    this.onKey = (event) => { this.touched(); this.key(event); };
    this.onPointer = (event) => { this.touched(); this.pointed(event); };
    this.onSight = () => { if (!document.hidden) this.touched(); };
    this.onResize = () => this.fitWindow();
    document.addEventListener('keydown', this.onKey, true);
    document.addEventListener('pointerdown', this.onPointer, true);
    document.addEventListener('visibilitychange', this.onSight);
    window.addEventListener('resize', this.onResize);
    this.watch = new MutationObserver(() => this.dismissLost());
    this.watch.observe(document.body, { childList: true });
    this.idle = setInterval(() => this.lookAgain(), LOOK_AGAIN);
  }

  // Streamlit covers the page when it loses its server; the desk goes on without it and says so itself.
  dismissLost() {
    const dialog = document.querySelector('[data-testid="stDialog"]');
    if (dialog && /connection error/i.test(dialog.textContent)) dialog.querySelector('button[aria-label="Close"]')?.click();
  }

  close() {
    this.closed = true;
    this.outbox.close();
    this.stage.close();
    this.watch.disconnect();
    clearInterval(this.idle);
    clearTimeout(this.retry);
    document.removeEventListener('keydown', this.onKey, true);
    document.removeEventListener('pointerdown', this.onPointer, true);
    document.removeEventListener('visibilitychange', this.onSight);
    window.removeEventListener('resize', this.onResize);
    this.root.remove();
  }

  // Streamlit calls again with every rerun: a new theme, token, order, or a record to open.
  update(component) {
    const before = this.data;
    Object.assign(this, { component, data: { ...component.data, settings: before.settings }, token: component.data.token });
    this.theme();
    this.fitWindow();
    const same = (name) => JSON.stringify(before[name]) === JSON.stringify(this.data[name]);
    if (!same('order') || !same('filters')) this.startOver();
    if (!same('order')) this.root.focus({ preventScroll: true }); // else keys would go on into the list
    if (!same('open') && this.data.open) this.open(this.data.open);
    this.outbox.soon(0);
  }

  // ---- showing

  next() {
    this.show(this.queue.shift() ?? null);
    this.refill();
  }

  show(work) {
    this.current = work;
    this.shownAt = performance.now();
    this.body.hidden = !work;
    this.empty.hidden = Boolean(work);
    this.headline.show(work);
    if (this.menu.isOpen) this.menu.close();
    if (!work) {
      delete this.root.dataset.record;
      this.stage.clear();
      this.showEmpty();
      return;
    }
    work.seen = true;
    this.root.dataset.record = work.id;
    this.showImage(work, this.shelf.get(work.record));
    this.strip.show(work);
    this.draw();
    this.caption.pane.scrollTop = 0;
    setTimeout(() => this.prefetch(), 0);
  }

  // One that failed is asked for once more, with a fresh link: the old one may have ended.
  showImage(work, image, { again = false } = {}) {
    this.stage.show(work, image);
    image.loaded.then(() => {
      if (!image.failed || this.current !== work) return;
      work.failed = image.failed;
      if (!again) this.loadAgain(work);
    });
  }

  draw() {
    this.caption.show(this.current);
    this.chips.show(this.current);
    this.why.show(this.current);
    this.decisions.show(this.current);
  }

  // ---- decisions

  decide(action) {
    const work = this.current;
    if (!work || (action !== 'skip' && !this.sawImage(work))) return;
    if (action === 'confirm') this.stage.keepGhost(); // a box that keys have placed
    if (action === 'skip' && work.visited) { // passing on takes nothing back
      this.next();
      return;
    }
    const { cells } = work;
    if (action === 'nothing') work.nothing();
    work.took = performance.now() - this.shownAt;
    this.keep(work, action === 'nothing' ? 'confirm' : action);
    work.cells = cells; // an undo brings back what stood there
    this.past.push(work);
    if (this.past.length > REMEMBERED) this.older = [this.past.shift().id, ...(this.older ?? [])];
    this.next();
  }

  // Confirming says that the image was seen, so it waits for it; where there is none to see, it takes a second
  // press, and what the text leaves blank stays blank.
  sawImage(work) {
    work.sawImage = this.stage.isSeen;
    if (work.sawImage) return true;
    if (work.warned) return true;
    const failed = this.stage.image.failed || work.failed; // it may be on its way once more
    const pass = `${keyName(this.keyOf('skip'))} skips, ${keyName(this.keyOf('flag'))} flags.`;
    if (!failed) {
      this.say(`The image is still being loaded: confirm when you see it. ${pass}`);
      return false;
    }
    work.warned = true;
    this.loadAgain(work);
    this.say(`${failed} Press again to confirm from the text alone; blank findings then stay blank. ${pass}`);
    return false;
  }

  keep(work, action) {
    const op = work.operation(action, performance.now() - this.shownAt);
    work.base = op.op_id; // the server finds out what it became
    work.waitsFor = op.op_id;
    this.outbox.add('save', op);
  }

  async undo() {
    if (this.undoing) return;
    this.undoing = true;
    const work = this.past.pop() ?? (await this.olderDecision());
    this.undoing = false;
    if (!work) return;
    this.keep(work, 'undo');
    work.visited = false;
    this.putBack(work.id);
    this.show(work);
  }

  answered(op, ack) {
    if (ack.message && (ack.status === 'saved' || ack.status === 'repeated')) this.tellExtra(op.record_id, ack.message);
    const works = [this.current, ...this.queue, ...this.past];
    for (const work of works) {
      if (work && work.waitsFor === op.op_id && ack.status !== 'refused' && ack.status !== 'conflict') work.base = ack.annotation_id;
    }
  }
}

Object.assign(Desk.prototype, BUILDING, EDITING, FETCHING, NOTICES, PRESSING);

export default function desk(component) {
  const mount = component.parentElement.querySelector('.desk-mount');
  if (!mount) return undefined;
  const now = mount.desk;
  if (now && now.data.user === component.data.user && now.data.database === component.data.database) now.update(component);
  else {
    if (now) now.close();
    mount.desk = new Desk(mount, component);
  }
  return () => {
    if (mount.desk) mount.desk.close();
    mount.desk = null;
  };
}
