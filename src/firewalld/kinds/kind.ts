import type { CodedFault } from '../../core/failure.ts';
import type { RunningFirewalld } from '../../facts/facts.ts';
import type { BusSettings } from './bus-parts.ts';

/** Names of other objects that an object refers to, by the folder of their kind. */
export type References = Readonly<Record<string, readonly string[]>>;

/** What the diff compares and a report shows of an object, in the order in which it is shown. An empty text is "not set". */
export type Fields = ReadonlyMap<string, string>;

/** Fields that matter in the file only, in every kind: a running daemon that has the old text behaves the same. */
export const TEXT_FIELDS: ReadonlySet<string> = new Set(['short', 'description']);

/** Fields whose text is a list, separated by blanks: of such a field a report shows what goes and what comes. */
export const LIST_FIELDS: ReadonlySet<string> = new Set([
  'ports',
  'protocols',
  'source ports',
  'helpers',
  'modules',
  'includes',
]);

/** A kind of object that firewalld has: how it is read, and what it refers to. */
export interface Kind<F extends string, O extends string, T> {
  /** Its folder below /etc/firewalld. Configurations, plans and requests hold its objects under this name too. */
  readonly folder: F;
  /** What one object of it is called in plans, requests and sentences. */
  readonly object: O;
  /** What a file's name, without `.xml`, may be made of. firewalld asks Python's `isalnum`. */
  readonly fileName: RegExp;
  /**
   * Reads a file. `null`: it is XML, and nothing that firewalld would load; such a file counts for nothing.
   *
   * @throws XmlError when no plan can be made with the file
   */
  readonly readXml: (name: string, text: string) => T | null;
  /** Reads what the daemon says of an object at runtime. @throws XmlError when it is not what firewalld sends */
  readonly readBus: (name: string, settings: BusSettings) => T;
  /** The objects that an object refers to: those are in use while it is loaded. */
  readonly refersTo: (item: T) => References;
  /** Whether an object that is loaded has an effect though no other refers to it; never, where it is left out. */
  readonly inForce?: (item: T) => boolean;
  /**
   * Where firewalld also reads files in folders below the kind's folder: makes one object of all files in such a folder.
   * `base` is the object of that name that has a file of its own, where the two are one.
   */
  readonly united?: (name: string, parts: readonly T[], base: T | null) => T;
}

/**
 * A kind of which portfw writes objects of its own.
 *
 * @typeParam T any object of the kind
 * @typeParam Ours one that portfw writes
 * @typeParam S its settings as a plan and a request hold them: JSON alone
 */
export interface OurKind<F extends string, O extends string, T, Ours extends T, S> extends Kind<F, O, T> {
  readonly readXml: (name: string, text: string) => T;
  /** One of ours as a file below /etc/firewalld. */
  readonly writeXml: (item: T) => string;
  /** What a `settings` step sends, and what the state that a plan ends with says of the object. */
  readonly settingsOf: (item: Ours) => S;
  readonly ofSettings: (settings: S) => Ours;
  readonly fields: (item: T) => Fields;
  /** Why the host's firewalld cannot take objects of this kind; it can take them all where it is left out. */
  readonly lacks?: (firewalld: RunningFirewalld) => CodedFault | null;
}
