import { expect, it } from 'vitest';
import { readZoneXml } from '../../../src/firewalld/kinds/zone.ts';
import { offlineObserved } from '../../../src/firewalld/offline.ts';
import { startRequest } from '../../../src/host/requests.ts';
import type { DesiredFirewalld } from '../../../src/policy/desired.ts';
import { NOTHING_DESIRED } from '../plan/helpers/nothing.ts';
import { ourZone } from '../plan/helpers/our-zone.ts';
import { planOf } from '../plan/helpers/plan-of.ts';
import { Firewalld } from '../plan/helpers/simulator.ts';

/** What a host with these files is sent whose public zone is to hold eth0. */
function requestFor(files: Readonly<Record<string, string>>) {
  const host = new Firewalld(Object.entries(files));
  const observed = offlineObserved(host.facts());
  const config = ourZone('portfw-public', '<zone><interface name="eth0"/><service name="ssh"/></zone>');
  const reasoned = (value: string) => ({ value, reasons: [] });
  const desired: DesiredFirewalld = {
    ...NOTHING_DESIRED,
    zones: new Map([
      [
        'portfw-public',
        { config, reasons: [], interfaces: [reasoned('eth0')], services: [reasoned('ssh')], richRules: [] },
      ],
    ]),
  };
  const { plan } = planOf(host, desired, { observed, ensure: 'start' });
  const guard = { windowSeconds: 60, confirm: 'auto' } as const;
  return startRequest({ id: 'i', holder: 'h', plan, guard, at: '2026-03-01T10:00:00.000Z' });
}

it('writes all that is ours, whole, before firewalld is started', () => {
  const { files } = requestFor({});
  expect(files.map(({ path }) => path)).toEqual(['zones/portfw-public.xml']);
  expect(readZoneXml('portfw-public', files[0]!.text)).toMatchObject({ interfaces: ['eth0'], services: ['ssh'] });
});

it('does not write what is there already: the host checks by its hash that it still is', () => {
  const text = '<zone><interface name="eth0"/><service name="ssh"/></zone>';
  expect(requestFor({ 'zones/portfw-public.xml': text })).toMatchObject({ files: [], observedHash: 'a'.repeat(64) });
});

it('leaves the priority that somebody gave a zone of ours: no change would name that it goes', () => {
  const { files } = requestFor({
    'zones/portfw-public.xml': '<zone ingress-priority="-7"><service name="http"/></zone>',
  });
  expect(readZoneXml('portfw-public', files[0]!.text)).toMatchObject({ ingressPriority: -7, services: ['ssh'] });
});

it('takes our leftovers away, and nothing of others', () => {
  const request = requestFor({
    'zones/portfw-old.xml': '<zone/>',
    'services/portfw-old.xml': '<service><port port="1" protocol="tcp"/></service>',
    'services/own.xml': '<service><port port="1" protocol="tcp"/></service>',
    'ipsets/portfw-old.xml': '<ipset type="hash:net"/>',
  });
  expect(request.deletions).toEqual(['zones/portfw-old.xml', 'services/portfw-old.xml', 'ipsets/portfw-old.xml']);
  expect(request.edits).toEqual([]);
});

it("names the interface that leaves its owner's file: the host takes the line out of its own text", () => {
  const text = '<zone><short>Büro</short>\r\n<interface name="eth0"/>\r\n<interface name="eth7"/></zone>';
  const request = requestFor({ 'zones/office.xml': text });
  expect(request.edits).toEqual([{ zone: 'office', interfaces: ['eth0'] }]);
  expect(request.foreign).toEqual(['zones/office.xml']);
});

it('counts an interface that is not mapped as open until the start', () => {
  const facts = new Firewalld([]).facts();
  expect(offlineObserved(facts).runtime.zones.get('public')).toMatchObject({ target: 'ACCEPT', services: [] });
  expect(offlineObserved(facts).permanent.zones.get('public')?.target).toBe('default');
});
