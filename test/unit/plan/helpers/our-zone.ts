import { type OurZoneConfig, readZoneXml, type ZoneConfig } from '../../../../src/firewalld/kinds/zone.ts';

/** A zone as one of ours. @throws when it has a target that no zone of ours has */
export function ours(zone: ZoneConfig): OurZoneConfig {
  const { target } = zone;
  if (target === 'ACCEPT') throw new Error(`${zone.name} has the target ACCEPT`);
  return { ...zone, target };
}

/** A zone of ours out of a zone file's text. */
export function ourZone(name: string, text: string): OurZoneConfig {
  return ours(readZoneXml(name, text));
}
