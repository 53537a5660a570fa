import { parsePortRange } from '../../core/ports.ts';
import type { PortProtocol } from '../model.ts';
import { normalisePorts, normaliseStrings } from '../normalise.ts';
import { XmlError } from '../xml.ts';

/** An object's settings as the daemon returns them over D-Bus; keys are firewalld's own. */
export type BusSettings = Readonly<Record<string, unknown>>;

/** A list of strings, sorted. @throws XmlError when it is something else */
export function busStrings(settings: BusSettings, key: string): string[] {
  const value = settings[key] ?? [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw new XmlError(`${key} is not a list of strings`);
  return normaliseStrings(value);
}

/** A text; empty where it is missing. @throws XmlError when it is something else */
export function busText(settings: BusSettings, key: string): string {
  const value = settings[key] ?? '';
  if (typeof value !== 'string') throw new XmlError(`${key} is not a string`);
  return value;
}

/** The texts that every object has. */
export function busTitles(settings: BusSettings): { readonly short: string; readonly description: string } {
  return { short: busText(settings, 'short'), description: busText(settings, 'description') };
}

/** A list of tuples. @throws XmlError when it is something else */
export function busTuples(settings: BusSettings, key: string): string[][] {
  const value = settings[key] ?? [];
  if (!Array.isArray(value)) throw new XmlError(`${key} is not a list`);
  return value.map((item) => {
    if (!Array.isArray(item)) throw new XmlError(`${key} holds something that is not a tuple`);
    return item.map((part) => plainText(part, key));
  });
}

/** A value that D-Bus has as text or a number; anything else might not even let itself be made into text. */
export function plainText(value: unknown, key: string): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'number' && typeof value !== 'boolean')
    throw new XmlError(`${key} holds something that is not text`);
  return String(value);
}

/** A list of ports, sorted. @throws XmlError when it is something else */
export function busPorts(settings: BusSettings, key: string): PortProtocol[] {
  return normalisePorts(
    busTuples(settings, key).map(([port, protocol]) => {
      const range = parsePortRange(port ?? '');
      if (typeof range === 'string') throw new XmlError(range);
      return { protocol: protocol ?? '', range };
    }),
  );
}
