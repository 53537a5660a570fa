// The page is complete without this script. It adds the filters, the box that says why, and the keys of the grid.
// All texts go into the page as text, never as markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId('data').textContent);
  const table = byId('grid');
  if (table === null) return;
  const scroll = byId('grid-scroll');
  const form = byId('filters');
  const shown = byId('shown');
  const error = byId('filter-error');
  const tip = byId('tip');
  const WORDS = {
    same: 'open',
    opened: 'opening',
    widened: 'widened',
    narrowed: 'narrowed',
    closed: 'closing',
    changed: 'changed',
  };
  const counted = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;

  // Addresses

  function readAddress(text) {
    if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
      const parts = text.split('.').map(Number);
      if (parts.some((part) => part > 255)) return null;
      return { bits: 32, value: parts.reduce((value, part) => value * 256n + BigInt(part), 0n) };
    }
    if (!/^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text)) return null;
    let words = text;
    const last = text.slice(text.lastIndexOf(':') + 1);
    if (last.includes('.')) {
      const v4 = readAddress(last);
      if (v4 === null) return null;
      words = `${text.slice(0, -last.length)}${(v4.value >> 16n).toString(16)}:${(v4.value & 0xffffn).toString(16)}`;
    }
    const halves = words.split('::');
    if (halves.length > 2) return null;
    const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':')));
    const missing = 8 - head.length - (tail === undefined ? 0 : tail.length);
    if (tail === undefined ? missing !== 0 : missing < 1) return null;
    const all = tail === undefined ? head : [...head, ...Array(missing).fill('0'), ...tail];
    if (all.some((word) => !/^[0-9a-f]{1,4}$/i.test(word))) return null;
    return { bits: 128, value: all.reduce((value, word) => value * 65536n + BigInt(`0x${word}`), 0n) };
  }

  /** An address, a network or a range, as first and last; null for anything else. */
  function readNetwork(text) {
    const range = text.split('-');
    if (range.length === 2) {
      const [from, to] = range.map(readAddress);
      if (!from || !to || from.bits !== to.bits) return null;
      return { bits: from.bits, first: from.value, last: to.value };
    }
    const [address, prefix, more] = text.split('/');
    const read = readAddress(address);
    if (read === null || more !== undefined) return null;
    const length = prefix === undefined ? read.bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
    if (length < 0 || length > read.bits) return null;
    const mask = (1n << BigInt(read.bits - length)) - 1n;
    const first = read.value & ~mask;
    return { bits: read.bits, first, last: first | mask };
  }

  const networks = new Map();
  const networkOf = (text) => {
    if (!networks.has(text)) networks.set(text, readNetwork(text));
    return networks.get(text);
  };
  const within = (peer, text) => {
    const network = networkOf(text);
    return network !== null && network.bits === peer.bits && network.first <= peer.first && peer.last <= network.last;
  };

  /** Whether comers hold the peer. Of a list that is too long to be here, the rest may: better shown than missed. */
  function holds([who, sources, more], peer) {
    if (who === 'anybody') return true;
    if (who === 'nobody') return false;
    const listed = sources.some((source) => within(peer, source));
    return who === 'these' ? listed || more > 0 : !listed;
  }

  // Filters

  function readPorts(text) {
    const match = /^(?:(\d{1,5})(?:\s*-\s*(\d{1,5}))?)?\s*\/?\s*(tcp|udp)?$/i.exec(text);
    if (match === null || text === '') return null;
    const first = match[1] === undefined ? 1 : Number(match[1]);
    const last = match[2] === undefined ? (match[1] === undefined ? 65535 : first) : Number(match[2]);
    return { first, last, protocol: match[3] === undefined ? null : match[3].toLowerCase() };
  }

  /** Which columns a filter of ports keeps; null keeps all. A column of all ports has those asked for too. */
  function columnsFor(text) {
    if (text === '') return null;
    const wanted = text
      .split(/[\s,;]+/)
      .filter((part) => part !== '')
      .map(readPorts);
    if (wanted.includes(null)) return undefined;
    return data.columns.map(([protocol, first, last]) =>
      wanted.some(
        (one) =>
          (protocol === 'all' || one.protocol === null || one.protocol === protocol) &&
          one.first <= last &&
          first <= one.last,
      ),
    );
  }

  /** Which cells a filter of direction and peer keeps; null keeps all. */
  function cellsFor(direction, text) {
    if (direction === '' && text === '') return null;
    const peer = text === '' ? null : readNetwork(text);
    const words = text.toLowerCase();
    const reached = data.comers.map(
      (comers) =>
        text === '' || (peer === null ? data.texts[comers[3]].toLowerCase().includes(words) : holds(comers, peer)),
    );
    return data.cells.map((lines) =>
      lines.some(([turn, , before, after, , , bits]) => {
        if (direction === 'changes' ? turn === 'same' : direction !== '' && turn !== direction) return false;
        if (peer !== null && bits !== 0 && bits !== peer.bits) return false;
        return reached[before] || reached[after];
      }),
    );
  }

  const rows = [...table.tBodies[0].rows].map((element, index) => {
    const [hosts, cells] = data.rows[index];
    return {
      element,
      hosts,
      cells,
      hidden: false,
      state: new Uint8Array(cells.length),
      named: hosts[0],
      of: hosts.length,
    };
  });
  const names = data.hosts.map(([name]) => name.toLowerCase());
  const plans = data.plans.map((hosts, index) => ({
    hosts,
    elements: [byId(`plan-${index}`), byId(`impact-${index}`)].filter((element) => element !== null),
    hidden: false,
  }));
  const heads = table.tHead.rows[0].cells;
  let columnShown = data.columns.map(() => true);
  let cellWanted = null;

  function hostsFor(fields) {
    const terms = fields.host
      .toLowerCase()
      .split(/\s+/)
      .filter((term) => term !== '');
    const group = data.texts.indexOf(fields.group);
    const role = data.texts.indexOf(fields.role);
    return data.hosts.map(
      ([, groups, roles], at) =>
        terms.every((term) => names[at].includes(term)) &&
        (fields.group === '' || groups.includes(group)) &&
        (fields.role === '' || roles.includes(role)),
    );
  }

  /** So many rows are more than fit on a screen: they are done at once. */
  const FIRST_ROWS = 80;
  /** How long the work out of sight may hold the page at a time. */
  const SLICE_MS = 8;

  function filter() {
    const fields = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
    const columns = columnsFor(fields.port);
    const message = columns === undefined ? 'Port: write 443, 8000-8999, 443/tcp or udp.' : '';
    if (error.textContent !== message) error.textContent = message;
    form.elements.port.setAttribute('aria-invalid', String(columns === undefined));
    if (columns === undefined) return;
    const cells = cellsFor(fields.direction, fields.peer);
    const { visible, used } = showRows(hostsFor(fields), columns, cells);
    cellWanted = cells;
    columnShown = columns === null && cells === null ? data.columns.map(() => true) : used;
    columnShown.forEach((show, at) => {
      if (heads[at + 1].hidden === show) heads[at + 1].hidden = !show;
    });
    tell(visible.size);
    hideTip();
    if (scroll.scrollTop !== 0) scroll.scrollTop = 0;
    const left = rows.filter(({ hidden }) => !hidden);
    for (const row of left.splice(0, FIRST_ROWS)) applyCells(row);
    keepCurrent();
    later([...plans.map((plan) => () => showPlan(plan, visible)), ...left.map((row) => () => applyCells(row))]);
  }

  /** Shows the rows that match; gives the hosts and the columns that are left. */
  function showRows(hosts, columns, cells) {
    const used = data.columns.map(() => false);
    const visible = new Set();
    const some = columns !== null || cells !== null;
    for (const row of rows) {
      const matching = row.hosts.filter((host) => hosts[host]);
      let keep = matching.length > 0;
      if (keep && some) {
        keep = false;
        row.cells.forEach((cell, column) => {
          if (cell < 0 || (columns !== null && !columns[column]) || (cells !== null && !cells[cell])) return;
          keep = true;
          used[column] = true;
        });
      }
      if (row.hidden === keep) {
        row.hidden = !keep;
        row.element.hidden = !keep;
      }
      if (!keep) continue;
      for (const host of matching) visible.add(host);
      nameRow(row, matching);
    }
    return { visible, used };
  }

  let job = 0;

  /** What is out of sight follows in slices, so that typing is never held up; a newer filter ends the work of an older one. */
  function later(tasks) {
    job += 1;
    const mine = job;
    let at = 0;
    const slice = () => {
      if (mine !== job) return;
      const end = performance.now() + SLICE_MS;
      while (at < tasks.length && performance.now() < end) {
        tasks[at]();
        at += 1;
      }
      if (at < tasks.length) setTimeout(slice);
      else table.removeAttribute('aria-busy');
    };
    table.setAttribute('aria-busy', 'true');
    setTimeout(slice);
  }

  function showPlan(plan, visible) {
    const hidden = !plan.hosts.some((host) => visible.has(host));
    if (hidden === plan.hidden) return;
    plan.hidden = hidden;
    for (const one of plan.elements) one.hidden = hidden;
  }

  /** A row of several hosts names those that are meant. */
  function nameRow(row, matching) {
    if (row.hosts.length === 1 || (row.named === matching[0] && row.of === matching.length)) return;
    row.named = matching[0];
    row.of = matching.length;
    const head = row.element.cells[0];
    head.querySelector('bdi').textContent = data.hosts[matching[0]][0];
    head.querySelector('.more').textContent =
      matching.length === 1 ? `of ${row.hosts.length} alike` : `and ${matching.length - 1} more`;
  }

  const HIDDEN = 1;
  const DIM = 2;

  /** Hides cells of columns that are not shown; those that the filter does not ask for step back. Writes only what differs. */
  function applyCells({ element, cells, state }) {
    const elements = element.cells;
    for (let column = 0; column < cells.length; column += 1) {
      const cell = cells[column];
      const dim = cellWanted !== null && cell >= 0 && !cellWanted[cell] ? DIM : 0;
      const next = (columnShown[column] ? 0 : HIDDEN) | dim;
      const changed = next ^ state[column];
      if (changed === 0) continue;
      state[column] = next;
      if (changed & HIDDEN) elements[column + 1].hidden = (next & HIDDEN) !== 0;
      if (changed & DIM) elements[column + 1].classList.toggle('dim', dim !== 0);
    }
  }

  function tell(count) {
    const ports = columnShown.filter(Boolean).length;
    const text = `${count} of ${counted(data.hosts.length, 'host')} shown, ${ports} of ${counted(data.columns.length, 'column')} of ports`;
    if (shown.textContent !== text) shown.textContent = text;
  }

  // The box that says why, on hover and on focus

  let described = null;
  let waiting = 0;

  function element(name, text, className) {
    const made = document.createElement(name);
    made.textContent = text;
    if (className !== undefined) made.className = className;
    return made;
  }

  function cellLines(row, column) {
    const lines = [element('p', `${data.columns[column][3]} on ${namesOf(row)}`, 'title')];
    for (const [turn, where, before, after, why, by] of data.cells[row.cells[column]]) {
      const who = (at) => data.texts[data.comers[at][3]];
      const line = element('p', '');
      line.append(element('span', WORDS[turn], `turn ${turn}`), ` ${data.texts[where]}: `);
      line.append(turn === 'same' ? who(after) : `${who(before)} → ${who(after)}`);
      lines.push(line);
      if (why.length > 0) lines.push(element('p', `because ${why.map((at) => data.texts[at]).join('; ')}`, 'quiet'));
      if (by.length > 0) lines.push(element('p', `by ${by.map((at) => data.texts[at]).join(', ')}`, 'quiet'));
    }
    return lines;
  }

  const MOST_NAMES = 40;

  function namesOf({ hosts }) {
    const first = data.hosts[hosts[0]][0];
    return hosts.length === 1 ? first : `${first} and ${hosts.length - 1} more`;
  }

  function hostLines({ hosts }) {
    const lines = [
      element(
        'p',
        hosts
          .slice(0, MOST_NAMES)
          .map((host) => data.hosts[host][0])
          .join(', '),
      ),
    ];
    if (hosts.length > MOST_NAMES) lines.push(element('p', `and ${hosts.length - MOST_NAMES} more`, 'quiet'));
    const told = (what, part) => {
      const found = [...new Set(hosts.flatMap((host) => data.hosts[host][part]))].map((at) => data.texts[at]);
      if (found.length > 0) lines.push(element('p', `${what}: ${found.join(', ')}`, 'quiet'));
    };
    told('groups', 1);
    told('roles', 2);
    return lines;
  }

  function linesFor(cell) {
    const row = rows[cell.parentElement.sectionRowIndex];
    const column = cell.cellIndex - 1;
    if (column < 0) return hostLines(row);
    if (row.cells[column] >= 0) return cellLines(row, column);
    return [element('p', `${data.columns[column][3]} on ${namesOf(row)}: nobody gets in, before and after`)];
  }

  function showTip(cell) {
    clearTimeout(waiting);
    if (described === cell) return;
    hideTip();
    described = cell;
    tip.replaceChildren(...linesFor(cell));
    cell.setAttribute('aria-describedby', 'tip');
    tip.hidden = false;
    const at = cell.getBoundingClientRect();
    const box = tip.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, innerWidth - box.width - 8));
    const below = at.bottom + 4 + box.height <= innerHeight;
    tip.style.left = `${left}px`;
    tip.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - box.height - 4)}px`;
  }

  function hideTip() {
    clearTimeout(waiting);
    tip.hidden = true;
    if (described !== null) described.removeAttribute('aria-describedby');
    described = null;
  }

  const cellAt = (target) => {
    const cell = target instanceof Element ? target.closest('#grid tbody :is(td, th)') : null;
    return cell === null || (cell.tagName === 'TD' && cell.className === '') ? null : cell;
  };
  table.addEventListener('mouseover', (event) => {
    const cell = cellAt(event.target);
    if (cell !== null) showTip(cell);
    else leave();
  });
  // The pointer may go to the box and stay there.
  const leave = () => {
    clearTimeout(waiting);
    waiting = setTimeout(hideTip, 200);
  };
  table.addEventListener('mouseleave', leave);
  tip.addEventListener('mouseenter', () => clearTimeout(waiting));
  tip.addEventListener('mouseleave', leave);
  scroll.addEventListener('scroll', () => {
    if (document.activeElement !== described) hideTip();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') hideTip();
  });

  // Keys: one cell of the grid is in the order of the page, arrows go to the others

  let current = null;

  function makeCurrent(cell) {
    if (current === cell) return;
    if (current !== null) current.tabIndex = -1;
    current = cell;
    current.tabIndex = 0;
  }

  function keepCurrent() {
    if (current !== null && current.offsetParent !== null) return;
    const row = rows.find(({ hidden }) => !hidden);
    if (row !== undefined) makeCurrent(row.element.cells[0]);
  }

  function goTo(cell) {
    applyCells(rows[cell.parentElement.sectionRowIndex]);
    makeCurrent(cell);
    cell.focus();
  }

  /** The next place in a direction that is not hidden; the same one at the border. */
  function next(list, from, step) {
    for (let at = from + step; at >= 0 && at < list.length; at += step) if (list[at]) return at;
    return from;
  }

  const PAGE = 10;

  table.addEventListener('keydown', (event) => {
    const cell = event.target.closest('#grid tbody :is(td, th)');
    if (cell === null || event.altKey || event.metaKey) return;
    const visibleRows = rows.map(({ hidden }) => !hidden);
    const visibleColumns = [true, ...columnShown];
    let row = cell.parentElement.sectionRowIndex;
    let column = cell.cellIndex;
    const rowsBy = (step, times) => {
      for (let time = 0; time < times; time += 1) row = next(visibleRows, row, step);
    };
    switch (event.key) {
      case 'ArrowRight':
        column = next(visibleColumns, column, 1);
        break;
      case 'ArrowLeft':
        column = next(visibleColumns, column, -1);
        break;
      case 'ArrowDown':
        rowsBy(1, 1);
        break;
      case 'ArrowUp':
        rowsBy(-1, 1);
        break;
      case 'PageDown':
        rowsBy(1, PAGE);
        break;
      case 'PageUp':
        rowsBy(-1, PAGE);
        break;
      case 'Home':
        column = 0;
        if (event.ctrlKey) rowsBy(-1, rows.length);
        break;
      case 'End':
        column = visibleColumns.lastIndexOf(true);
        if (event.ctrlKey) rowsBy(1, rows.length);
        break;
      case 'Enter': {
        const link = rows[row].element.querySelector('a.name');
        if (link !== null && event.target !== link) link.click();
        return;
      }
      default:
        return;
    }
    event.preventDefault();
    goTo(rows[row].element.cells[column]);
  });
  table.addEventListener('focusin', (event) => {
    const cell = event.target.closest('#grid tbody :is(td, th)');
    if (cell === null) return;
    makeCurrent(cell);
    hideTip();
    showTip(cell);
  });
  table.addEventListener('focusout', hideTip);
  table.addEventListener('click', (event) => {
    const cell = event.target.closest('#grid tbody :is(td, th)');
    if (cell !== null && event.target.closest('a') === null) goTo(cell);
  });

  // A link to a folded host unfolds it

  function unfold() {
    const target = byId(location.hash.slice(1));
    if (!(target instanceof HTMLDetailsElement)) return;
    target.open = true;
    target.querySelector('summary').focus({ preventScroll: true });
    target.scrollIntoView();
  }
  addEventListener('hashchange', unfold);
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
    if (link !== null && link.getAttribute('href') === location.hash) unfold();
  });

  // Paper has everything unfolded; browsers that cannot do so by style get it here.

  let unfolded = [];
  addEventListener('beforeprint', () => {
    unfolded = [...document.querySelectorAll('details:not([open])')];
    for (const one of unfolded) one.open = true;
  });
  addEventListener('afterprint', () => {
    for (const one of unfolded) one.open = false;
    unfolded = [];
  });

  table.setAttribute('role', 'grid');
  for (const link of table.querySelectorAll('a.name')) link.tabIndex = -1;
  scroll.removeAttribute('tabindex');
  for (const help of document.querySelectorAll('.keys-help')) help.hidden = false;
  form.hidden = false;
  form.addEventListener('input', filter);
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', () => setTimeout(filter));
  filter();
  unfold();
})();
