import { get, isObject, type Json, list, single, text } from './json.ts';

/** Expressions of nft's JSON as text on one line, similar to nft's own. For people and for comparisons. */

export function ruleText(expressions: readonly Json[], comment: Json): string {
  const words = expressions.map(statementText);
  if (typeof comment === 'string') words.push(`comment ${JSON.stringify(comment)}`);
  return words.join(' ');
}

export function statementText(expression: Json): string {
  const item = single(expression);
  if (item === null) return raw(expression);
  const { key, value } = item;
  switch (key) {
    case 'match':
      return matchText(value);
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
    case 'notrack':
      return key;
    case 'jump':
    case 'goto':
      return `${key} ${valueText(get(value, 'target'))}`;
    case 'counter':
      return typeof value === 'string' ? `counter name ${value}` : 'counter';
    case 'reject':
      return rejectText(value);
    case 'vmap':
      return `${valueText(get(value, 'key'))} vmap ${valueText(get(value, 'data'))}`;
    case 'mangle':
      return `${valueText(get(value, 'key'))} set ${valueText(get(value, 'value'))}`;
    case 'dnat':
    case 'snat':
    case 'redirect':
    case 'masquerade':
    case 'tproxy':
      return translationText(key, value);
    case 'limit':
      return isObject(value) && Object.hasOwn(value, 'rate')
        ? `limit rate ${get(value, 'inv') === true ? 'over ' : ''}${valueText(get(value, 'rate'))}/${valueText(get(value, 'per'))}${rest(value, ['rate', 'per', 'inv'])}`
        : `limit ${valueText(value)}`;
    case 'log':
    case 'queue':
      return `${key}${rest(value, [])}`;
    case 'xt':
      return `xt ${valueText(get(value, 'type'))} ${valueText(get(value, 'name'))}`;
    default:
      return raw(expression);
  }
}

function matchText(value: Json): string {
  const operator = text(get(value, 'op')) ?? '?';
  const left = valueText(get(value, 'left'));
  const right = get(value, 'right');
  if (isObject(get(get(value, 'left'), 'fib')) && typeof right === 'boolean') {
    return `${left} ${right === (operator !== '!=') ? 'exists' : 'missing'}`;
  }
  return `${left} ${operator === '==' || operator === 'in' ? '' : `${operator} `}${valueText(right)}`;
}

function rejectText(value: Json): string {
  const type = text(get(value, 'type'));
  if (type === null) return 'reject';
  const code = get(value, 'expr');
  return `reject with ${type}${code === undefined ? '' : ` ${valueText(code)}`}`;
}

function translationText(key: string, value: Json): string {
  const address = get(value, 'addr');
  const port = get(value, 'port');
  const family = text(get(value, 'family'));
  const shown = address === undefined ? '' : valueText(address);
  const to = port === undefined ? shown : `${shown.includes(':') ? `[${shown}]` : shown}:${valueText(port)}`;
  return `${key}${family === null ? '' : ` ${family}`}${to === '' ? '' : ` to ${to}`}${rest(value, ['addr', 'port', 'family'])}`;
}

/** The fields of an object besides those already shown. */
function rest(value: Json, shown: readonly string[]): string {
  if (!isObject(value)) return value === null ? '' : ` ${valueText(value)}`;
  return Object.keys(value)
    .filter((key) => !shown.includes(key))
    .map((key) => ` ${key} ${typeof value[key] === 'string' ? JSON.stringify(value[key]) : valueText(value[key])}`)
    .join('');
}

/** An expression that is a value: a property of packets, a constant, a set. */
export function valueText(value: Json): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return value.map(valueText).join(',');
  const item = single(value);
  if (item === null) return raw(value);
  const { key, value: inner } = item;
  switch (key) {
    case 'payload': {
      const protocol = get(inner, 'protocol');
      return protocol === undefined ? raw(value) : `${valueText(protocol)} ${valueText(get(inner, 'field'))}`;
    }
    case 'meta': {
      const name = valueText(get(inner, 'key'));
      return /^(?:iif|oif|iifname|oifname)$/.test(name) ? name : `meta ${name}`;
    }
    case 'ct': {
      const words = ['dir', 'family', 'key'].map((part) => get(inner, part)).filter((part) => part !== undefined);
      return `ct ${words.map(valueText).join(' ')}`;
    }
    case 'fib': {
      const flags = get(inner, 'flags');
      return `fib ${
        list(flags ?? [])
          .map(valueText)
          .join(' . ') || valueText(flags)
      } ${valueText(get(inner, 'result'))}`;
    }
    case 'prefix':
      return `${valueText(get(inner, 'addr'))}/${valueText(get(inner, 'len'))}`;
    case 'range':
      return list(inner).map(valueText).join('-');
    case 'concat':
      return list(inner).map(valueText).join(' . ');
    case 'set':
      return `{ ${(Array.isArray(inner) ? inner.map(elementText) : [valueText(inner)]).sort().join(', ')} }`;
    case 'map':
      return `${valueText(get(inner, 'key'))} map ${valueText(get(inner, 'data'))}`;
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
      return `(${list(inner).map(valueText).join(` ${key} `)})`;
    case 'elem':
      return elementText(value);
    default:
      return statementText(value);
  }
}

/** An element without its counter and its time of expiry. */
export function elementText(element: Json): string {
  if (Array.isArray(element) && element.length === 2) {
    return `${elementText(element[0])} : ${valueText(element[1])}`;
  }
  const inner = get(element, 'elem');
  if (!isObject(inner)) return isObject(element) && Object.hasOwn(element, 'elem') ? raw(element) : valueText(element);
  const notes = ['timeout', 'comment'].flatMap((key) => {
    const note = get(inner, key);
    return note === undefined ? [] : [` ${key} ${JSON.stringify(note)}`];
  });
  return valueText(get(inner, 'val')) + notes.join('');
}

/** An expression that this file does not know, as JSON. */
function raw(value: Json): string {
  return JSON.stringify(value) ?? String(value);
}
