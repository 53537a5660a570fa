import { describe, expect, it } from 'vitest';
import { emptyLayer, type FirewalldConfig } from '../../../src/firewalld/kinds/kinds.ts';
import { type OurZoneConfig, readZoneXml } from '../../../src/firewalld/kinds/zone.ts';
import { parseRichRule } from '../../../src/firewalld/rich-rule.ts';
import { withoutInterface } from '../../../src/firewalld/without-interface.ts';
import { beginRequest, permanentRequest } from '../../../src/host/requests.ts';
import type { DesiredFirewalld, DesiredZone } from '../../../src/policy/desired.ts';
import { makePlan } from '../../helpers/make-plan.ts';
import { NOTHING_DESIRED } from './helpers/nothing.ts';
import { Firewalld } from './helpers/simulator.ts';

const TRUSTED = 'rule priority="32767" accept';

/** A zone of ours; `target` other than the default makes a reload necessary. */
function zone(
  name: string,
  interfaces: readonly string[],
  richRules: readonly string[] = [],
  target: OurZoneConfig['target'] = 'default',
): DesiredZone {
  const rules = richRules.map(parseRichRule);
  const config: OurZoneConfig = { ...readZoneXml(name, '<zone/>'), target, interfaces, richRules: rules };
  const reasoned = <T>(value: T) => ({ value, reasons: [] });
  return {
    config,
    reasons: [],
    interfaces: interfaces.map(reasoned),
    services: [],
    richRules: rules.map(reasoned),
  };
}

/** The requests that bring a host with these zone files, loaded as they are, to these zones. */
function requests(files: Readonly<Record<string, string>>, desired: readonly DesiredZone[]) {
  const facts = new Firewalld([]).facts();
  const zones = new Map(Object.entries(files).map(([name, text]) => [name, readZoneXml(name, text)]));
  const layer: FirewalldConfig = { ...emptyLayer(), zones };
  const observed = {
    permanent: layer,
    runtime: layer,
    zoneFiles: new Set(Object.keys(files)),
    zoneFolders: new Map(),
    broken: [],
  };
  const wanted: DesiredFirewalld = {
    ...NOTHING_DESIRED,
    zones: new Map(desired.map((item) => [item.config.name, item])),
  };
  const common = { observed, desired: wanted };
  const { plan } = makePlan({ host: 'h', matrix: 'm', roles: [], facts, remembered: null, notes: [], ...common });
  const guard = { windowSeconds: 60, confirm: 'auto' } as const;
  const input = { id: 'i', holder: 'h', plan, guard, at: '2026-03-01T10:00:00.000Z' };
  return { begin: beginRequest(input), permanent: permanentRequest(input) };
}

describe('the requests of an apply', () => {
  const swapped = {
    'portfw-private': '<zone><interface name="eth0"/></zone>',
    'portfw-public': '<zone><interface name="eth1"/></zone>',
  };

  it('do not take an interface along into a zone that begins to accept everything', () => {
    const { begin } = requests(swapped, [
      zone('portfw-private', ['eth1'], [TRUSTED], 'DROP'),
      zone('portfw-public', ['eth0']),
    ]);
    const written = begin.files.find(({ path }) => path === 'zones/portfw-private.xml')!;
    expect(readZoneXml('portfw-private', written.text)).toMatchObject({
      richRules: [{ text: TRUSTED }],
      interfaces: [],
    });
    expect(begin.calls).toContainEqual(['bind-interface', 'portfw-public', 'eth0']);
  });

  it('let go what leaves a zone before the zone begins to accept everything, and bring the rest after', () => {
    const { begin } = requests(swapped, [zone('portfw-private', ['eth1'], [TRUSTED]), zone('portfw-public', ['eth0'])]);
    expect(begin.reload).toBe(false);
    expect(begin.calls).toEqual([
      ['bind-interface', 'portfw-public', 'eth0'],
      ['add-rich-rule', 'portfw-private', TRUSTED],
      ['bind-interface', 'portfw-private', 'eth1'],
    ]);
  });

  it('keep those that stay in a zone that begins to accept everything', () => {
    const { begin } = requests(swapped, [
      zone('portfw-private', ['eth0'], [TRUSTED], 'DROP'),
      zone('portfw-public', ['eth1']),
    ]);
    const written = begin.files.find(({ path }) => path === 'zones/portfw-private.xml')!;
    expect(readZoneXml('portfw-private', written.text).interfaces).toEqual(['eth0']);
  });

  it("write an owner's zone file back as it was, less the interface", () => {
    const text = '<zone><short>Büro</short>\r\n<interface name="eth0"/>\r\n</zone>';
    const { permanent } = requests({ office: text }, [zone('portfw-public', ['eth0'])]);
    const expected = '<zone><short>Büro</short>\r\n</zone>';
    expect(permanent.releases).toEqual([{ zone: 'office', interfaces: ['eth0'] }]);
    expect(withoutInterface(text, 'eth0')).toBe(expected);
  });
});
