import { formatPort } from '../firewalld/normalise.ts';
import { type ChangeSign, changeSign, changeText, connectionText, valuesText } from '../plan/change-words.ts';
import type { Change, FieldChange, Layers } from '../plan/plan.ts';
import { because, type ReasonView, reasonViews } from './reason-view.ts';
import { type Extent, type Shortened, shorten, shortenedText } from './shortened.ts';

/** One change: a line, and the lines below it. */
export interface ChangeView {
  readonly kind: Change['kind'];
  readonly sign: ChangeSign;
  /** What changes, in words, without its zone: `service portfw-web-pub`. */
  readonly text: string;
  /** The ports of a service: `8442/tcp`. */
  readonly ports: readonly string[];
  /** The layer of firewalld that changes, when only one does. */
  readonly onlyIn: keyof Layers | null;
  /** Whether live traffic depends on what changes. */
  readonly inUse: boolean;
  readonly details: readonly DetailView[];
}

/** A line below a change. It begins with `label` (`because`, `closes`, `ports:`); `text` is the rest. */
export type DetailView =
  | ReasonView
  | {
      /** `closes` and `opens` say what moving an interface does. Outputs highlight them. */
      readonly kind: 'field' | 'edits-zone' | 'connection' | 'closes' | 'opens';
      readonly label: string;
      readonly text: string;
    }
  | { readonly kind: 'entries'; readonly action: 'add' | 'remove'; readonly entries: Shortened<string> };

/** How much is said of one plan, and which lists of reasons it has shown already. */
export interface Saying {
  readonly extent: Extent;
  readonly given: Set<string>;
}

type Shown = Exclude<Change, { kind: 'remember' | 'ensure-firewalld' }>;

/** @param explained leave out the reasons, because another change shows them */
export function changeView(change: Shown, saying: Saying, explained = false): ChangeView {
  return {
    kind: change.kind,
    sign: changeSign(change),
    text: changeText(change),
    ports: change.kind === 'zone-service' ? change.ports.map(formatPort) : [],
    onlyIn: 'layers' in change ? onlyLayer(change.layers) : null,
    inUse: change.kind === 'definition' && change.inUse,
    details: detailsOf(change, saying, explained),
  };
}

function onlyLayer({ permanent, runtime }: Layers): keyof Layers | null {
  if (permanent === runtime) return null;
  return permanent ? 'permanent' : 'runtime';
}

function detailsOf(change: Shown, saying: Saying, explained: boolean): readonly DetailView[] {
  switch (change.kind) {
    case 'definition':
      return [...fieldsOf(change, saying.extent), ...(explained ? [] : reasonViews(change.reasons, saying.given))];
    case 'interface':
      return [...reasonViews(change.reasons, saying.given), ...moveDetails(change)];
    case 'zone-service':
    case 'rich-rule':
      return reasonViews(change.reasons, saying.given);
    case 'stray':
      return change.action === 'add'
        ? [because('somebody had added it by hand, and the generation has it')]
        : [because('it was added by hand to a zone of portfw, and no rule asks for it')];
    case 'ipset-entries':
      return [
        ...entriesOf('add', change.add, saying.extent),
        ...entriesOf('remove', change.remove, saying.extent),
        ...reasonViews(change.reasons, saying.given),
      ];
  }
}

function moveDetails(change: Extract<Change, { kind: 'interface' }>): readonly DetailView[] {
  const { action, zone, otherZone, editsZone, networkManager, closes, opens } = change;
  const from = action === 'bind' ? otherZone : zone;
  return [
    ...(editsZone === null
      ? []
      : [{ kind: 'edits-zone', label: 'edits', text: `zone ${editsZone}, which lists this interface now` } as const]),
    ...(networkManager === undefined
      ? []
      : [{ kind: 'connection', label: 'NetworkManager', text: connectionText(networkManager) } as const]),
    ...closes.map(
      (what) =>
        ({ kind: 'closes', label: 'closes', text: `${what}, which is open on it in zone ${from} now` }) as const,
    ),
    ...opens.map(
      (what) =>
        ({
          kind: 'opens',
          label: 'opens',
          text: `${what} to anybody on ${change.interface}`,
        }) as const,
    ),
  ];
}

const LABELS: ReadonlySet<string> = new Set(['short', 'description']);

function fieldsOf(change: Extract<Change, { kind: 'definition' }>, extent: Extent): readonly DetailView[] {
  if (change.action === 'delete') return [];
  // The title and description of a new object repeat its reasons.
  return change.fields
    .filter(({ field }) => extent === 'full' || change.action === 'edit' || !LABELS.has(field))
    .map((field) => ({ kind: 'field', label: `${field.field}:`, text: fieldValues(field, extent) }));
}

/** At most this many entries of an ipset are shown in the short form. */
const MOST_ENTRIES = 50;

function fieldValues(field: FieldChange, extent: Extent): string {
  // A new ipset comes with all its entries.
  if (field.field === 'entries' && field.after !== null && field.removed === undefined)
    return shortenedText(shorten(field.after.split(' '), MOST_ENTRIES, extent), ' ');
  return valuesText(field);
}

function entriesOf(action: 'add' | 'remove', entries: readonly string[], extent: Extent): readonly DetailView[] {
  return entries.length === 0 ? [] : [{ kind: 'entries', action, entries: shorten(entries, MOST_ENTRIES, extent) }];
}
