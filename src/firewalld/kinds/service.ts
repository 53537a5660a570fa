import type { PortProtocol } from '../model.ts';
import { formatPort, normalisePorts, normaliseStrings } from '../normalise.ts';
import { attribute, children, parseXml } from '../xml.ts';
import { type BusSettings, busPorts, busStrings, busTitles } from './bus-parts.ts';
import type { Fields, OurKind } from './kind.ts';
import {
  byTag,
  documentText,
  eachRequired,
  nameLine,
  portLine,
  portOf,
  required,
  titleLines,
  titlesIn,
} from './xml-parts.ts';

/** firewalld.service(5). */
export interface ServiceConfig {
  readonly name: string;
  readonly short: string;
  readonly description: string;
  readonly ports: readonly PortProtocol[];
  readonly protocols: readonly string[];
  readonly sourcePorts: readonly PortProtocol[];
  readonly helpers: readonly string[];
  readonly modules: readonly string[];
  readonly includes: readonly string[];
  readonly destination: { readonly ipv4: string | null; readonly ipv6: string | null };
}

/** Reads a service file. @throws XmlError when it is malformed or lacks what firewalld needs */
export function readServiceXml(name: string, text: string): ServiceConfig {
  const of = byTag(children(parseXml(text, 'service')));
  // A <port> without a number is a protocol, in the older form.
  const ports = of('port').filter((element) => attribute(element, 'port'));
  const protocols = [...of('port').filter((element) => !attribute(element, 'port')), ...of('protocol')];
  const destination = of('destination').at(-1);
  return {
    name,
    ...titlesIn(of),
    ports: normalisePorts(ports.map(portOf)),
    protocols: normaliseStrings(
      protocols.map((element) => attribute(element, 'value') ?? required(element, 'protocol')),
    ),
    sourcePorts: normalisePorts(of('source-port').map(portOf)),
    helpers: normaliseStrings(eachRequired(of('helper'), 'name')),
    modules: normaliseStrings(eachRequired(of('module'), 'name')),
    includes: normaliseStrings(eachRequired(of('include'), 'service')),
    destination:
      destination === undefined
        ? { ipv4: null, ipv6: null }
        : { ipv4: attribute(destination, 'ipv4'), ipv6: attribute(destination, 'ipv6') },
  };
}

/** A portfw service as a file. Our services hold ports and helpers only. */
export function writeServiceXml(service: ServiceConfig): string {
  const lines = [
    ...titleLines(service),
    ...service.ports.map(portLine),
    ...service.helpers.map((helper) => nameLine('helper', helper)),
  ];
  return documentText('<service>', lines, '</service>');
}

function readServiceBus(name: string, settings: BusSettings): ServiceConfig {
  const destination = settings['destination'];
  const held = typeof destination === 'object' && destination !== null ? (destination as Record<string, unknown>) : {};
  return {
    name,
    ...busTitles(settings),
    ports: busPorts(settings, 'ports'),
    protocols: busStrings(settings, 'protocols'),
    sourcePorts: busPorts(settings, 'source_ports'),
    helpers: busStrings(settings, 'helpers'),
    modules: busStrings(settings, 'modules'),
    includes: busStrings(settings, 'includes'),
    destination: {
      ipv4: typeof held['ipv4'] === 'string' ? held['ipv4'] : null,
      ipv6: typeof held['ipv6'] === 'string' ? held['ipv6'] : null,
    },
  };
}

function fields(service: ServiceConfig): Fields {
  return new Map([
    ['ports', service.ports.map(formatPort).join(' ')],
    ['protocols', service.protocols.join(' ')],
    ['source ports', service.sourcePorts.map(formatPort).join(' ')],
    ['helpers', service.helpers.join(' ')],
    ['modules', service.modules.join(' ')],
    ['includes', service.includes.join(' ')],
    ['destination', [service.destination.ipv4, service.destination.ipv6].filter((item) => item !== null).join(' ')],
    ['short', service.short],
    ['description', service.description],
  ]);
}

export const SERVICE: OurKind<'services', 'service', ServiceConfig, ServiceConfig, ServiceConfig> = {
  folder: 'services',
  object: 'service',
  fileName: /^[\p{L}\p{N}_-]+$/u,
  readXml: readServiceXml,
  writeXml: writeServiceXml,
  readBus: readServiceBus,
  refersTo: ({ includes }) => ({ services: includes }),
  settingsOf: (service) => service,
  ofSettings: (settings) => settings,
  fields,
};
