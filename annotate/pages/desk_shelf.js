// Images of the records to come, loaded and decoded before they are shown.

const TRY_AGAIN = 5000; // milliseconds until an image that failed is asked for again

class ImageShelf {
  constructor() { this.images = new Map(); }

  get(record) {
    let image = this.images.get(record.id);
    if (!image || (image.failed && performance.now() - image.since > TRY_AGAIN)) return this.load(record);
    return this.keep(record.id, image);
  }

  keep(id, image) {
    this.images.delete(id); // to the young end
    this.images.set(id, image);
    return image;
  }

  load(record) {
    const element = el('img', { alt: '', draggable: 'false', decoding: 'sync', fetchpriority: 'high' });
    const image = { element, failed: '', since: performance.now() };
    image.loaded = new Promise((done) => {
      element.addEventListener('load', () => element.decode().catch(() => {}).finally(done), { once: true });
      element.addEventListener('error', async () => {
        image.failed = `This image cannot be shown: ${await whyNot(record.url)}.`;
        done();
      });
    });
    image.loaded.then(() => { image.ready = true; });
    element.src = record.url;
    return this.keep(record.id, image);
  }

  prefetch(records) { for (const record of records) this.get(record); }

  trim(most) {
    for (const id of this.images.keys()) {
      if (this.images.size <= most) break;
      this.images.delete(id);
    }
  }
}

// A picture that failed says nothing; the server does.
async function whyNot(url) {
  try {
    const reply = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout?.(TRY_AGAIN) });
    return reply.ok ? 'this browser cannot read it' : (await reply.json()).error;
  } catch {
    return 'the server cannot be reached';
  }
}
