import type { AddressRange } from '../core/address-ranges.ts';
import type { Field, Part, Ruleset, Table } from './ruleset.ts';

const LAST_PORT = 65_535;

/**
 * The ports at which the result of any of the rulesets may change, sorted. All destination ports between two of them have
 * the same result, so one port of each stretch is evaluated.
 */
export function stretches(rulesets: readonly Ruleset[]): readonly number[] {
  const starts = new Set<number>([1]);
  for (const { tables } of rulesets) {
    for (const table of tables) {
      for (const { rules } of table.chains.values()) {
        for (const { parts } of rules) for (const part of parts) addPart(part, table, starts);
      }
    }
  }
  return [...starts].filter((port) => port >= 1 && port <= LAST_PORT).sort((a, b) => a - b);
}

function addPart(part: Part, table: Table, starts: Set<number>): void {
  if (part.kind === 'match') {
    const { fields, values } = part;
    if (values.kind === 'ranges') {
      if (isPort(fields[0])) for (const range of values.ranges) add(range, starts);
    } else if (values.kind === 'boxes') addBoxes(fields, values.boxes, starts);
    else addSet(fields, values.name, table, starts);
  } else if (part.kind === 'verdict-map') {
    const { fields, map } = part;
    if (map.kind === 'named') addSet(fields, map.name, table, starts);
    else
      addBoxes(
        fields,
        map.entries.map(({ box }) => box),
        starts,
      );
  } else if (part.kind === 'translate-destination' && part.to.map !== null) {
    const { fields, data } = part.to.map;
    if (data.kind === 'named') addSet(fields, data.name, table, starts);
    else
      addBoxes(
        fields,
        data.entries.map(({ box }) => box),
        starts,
      );
  }
}

function addSet(fields: readonly Field[], name: string, table: Table, starts: Set<number>): void {
  // A set of addresses may be large, and has no ports.
  if (!fields.some(isPort)) return;
  const content = table.sets.get(name)?.elements();
  addBoxes(
    fields,
    (content?.elements ?? []).map(({ box }) => box),
    starts,
  );
}

function addBoxes(fields: readonly Field[], boxes: readonly (readonly AddressRange[])[], starts: Set<number>): void {
  for (const [index, field] of fields.entries()) {
    if (!isPort(field)) continue;
    for (const box of boxes) if (box[index] !== undefined) add(box[index], starts);
  }
}

function isPort(field: Field | undefined): boolean {
  return field?.name === 'dport' || field?.name === 'original dport';
}

function add({ first, last }: AddressRange, starts: Set<number>): void {
  starts.add(Number(first));
  starts.add(Number(last) + 1);
}
