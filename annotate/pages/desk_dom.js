// Small tools. Everything that comes from data is set as text or attribute, never as HTML.

function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function svgEl(tag, properties = {}) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  return element;
}

// Touches the page only where something changed: 20 keys a second leave no time to draw the same again.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setAttribute(element, name, value) {
  if (value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

// crypto.randomUUID is absent on plain http, where hospitals may well run this.
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function isTyping(target) {
  if (!(target instanceof Element)) return false;
  if (target.isContentEditable || target.tagName === 'TEXTAREA' || target.tagName === 'SELECT') return true;
  return target.tagName === 'INPUT' && !/^(button|checkbox|radio|range|submit)$/.test(target.type);
}

function keyName(key) {
  return { ' ': 'Space', '-': '−', ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓' }[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}

// As aria-keyshortcuts wants it.
function shortcutName(key) { return { ' ': 'Space', '+': 'Plus' }[key] ?? key; }

function plural(count, word) {
  return `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;
}

// Captions are cut at offsets counted in code points, as Python counts; JavaScript counts UTF-16 units.
class Offsets {
  constructor(text) {
    this.units = null;
    if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return;
    this.units = [0];
    for (const sign of text) this.units.push(this.units[this.units.length - 1] + sign.length);
  }

  toUnit(point) {
    if (!this.units) return point;
    return this.units[Math.min(point, this.units.length - 1)];
  }

  toPoint(unit) {
    if (!this.units) return unit;
    let low = 0;
    let high = this.units.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.units[middle] < unit) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
