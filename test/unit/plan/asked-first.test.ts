import { describe, expect, it } from 'vitest';
import { emptyLayer, type FirewalldConfig } from '../../../src/firewalld/kinds/kinds.ts';
import { POLICY } from '../../../src/firewalld/kinds/policy.ts';
import { readZoneXml } from '../../../src/firewalld/kinds/zone.ts';
import { askedFirst } from '../../../src/plan/notes/asked-first.ts';
import type { DesiredFirewalld } from '../../../src/policy/desired.ts';
import { NOTHING_DESIRED } from './helpers/nothing.ts';
import { ourZone } from './helpers/our-zone.ts';

const OURS = ourZone('portfw-public', '<zone><interface name="eth0"/></zone>');
const DESIRED: DesiredFirewalld = {
  ...NOTHING_DESIRED,
  zones: new Map([['portfw-public', { config: OURS, reasons: [], interfaces: [], services: [], richRules: [] }]]),
};

interface Case {
  readonly zones?: Readonly<Record<string, string>>;
  readonly policies?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly direct?: readonly string[];
  readonly says: readonly RegExp[];
}

const TO_HOST = { egress_zones: ['HOST'], ingress_zones: ['ANY'] };

/** Each is asked before a zone of ours, or is not; recorded on firewalld 0.9.3 and 2.3.1. */
const CASES: Readonly<Record<string, Case>> = {
  'nothing of others': { says: [] },
  'a zone without sources': { zones: { dmz: '<zone><interface name="eth3"/><service name="ssh"/></zone>' }, says: [] },
  'a zone of ours with a source': { zones: { 'portfw-x': '<zone><source address="192.0.2.1"/></zone>' }, says: [] },
  'a zone with a source': {
    zones: {
      dmz: '<zone><source address="192.0.2.0/24"/><service name="ssh"/><port port="443" protocol="tcp"/></zone>',
    },
    says: [/^zone dmz.*from 192\.0\.2\.0\/24: it opens service ssh, 443\/tcp$/],
  },
  'a zone that accepts everything from a source': {
    zones: { lan: '<zone target="ACCEPT"><source ipset="friends"/></zone>' },
    says: [/^zone lan.*from ipset:friends: it accepts everything$/],
  },
  'a zone that accepts everything by a rule': {
    zones: { lan: '<zone><source ipset="friends"/><rule priority="32767"><accept/></rule></zone>' },
    says: [/^zone lan.*from ipset:friends: it accepts everything$/],
  },
  'a zone that opens nothing to a source': {
    zones: { drop: '<zone target="DROP"><source address="192.0.2.9"/></zone>' },
    says: [/^zone drop.*it opens nothing$/],
  },
  'a policy that opens a port before zones': {
    policies: { adm: { ...TO_HOST, priority: -1, target: 'CONTINUE', ports: [['9999', 'tcp']] } },
    says: [/^policy adm.*evaluated before portfw's zones.*from ANY: 9999\/tcp$/],
  },
  'a policy from a zone of ours that accepts all after it': {
    policies: { adm: { egress_zones: ['HOST'], ingress_zones: ['portfw-public'], priority: 10, target: 'ACCEPT' } },
    says: [/^policy adm.*evaluated after portfw's zones.*from portfw-public: target ACCEPT$/],
  },
  'a policy of another zone, one towards another zone': {
    policies: {
      libvirt: { egress_zones: ['HOST'], ingress_zones: ['libvirt'], priority: -1, target: 'ACCEPT' },
      docker: { egress_zones: ['docker'], ingress_zones: ['ANY'], priority: -1, target: 'ACCEPT' },
    },
    says: [],
  },
  "firewalld's own policy for IPv6": {
    policies: {
      'allow-host-ipv6': {
        ...TO_HOST,
        priority: -15000,
        target: 'CONTINUE',
        rich_rules: ['rule family="ipv6" icmp-type name="neighbour-solicitation" accept'],
      },
    },
    says: [],
  },
  'direct rules': {
    direct: ["rule ipv4 filter INPUT 0 ['-p', 'tcp', '--dport', '9990', '-j', 'ACCEPT']"],
    says: [/^1 direct rule .*9990/],
  },
  'settings of a shape that nobody expects': {
    policies: { odd: { egress_zones: 'HOST', ports: 7, rich_rules: [1] }, odder: { ...TO_HOST, ports: [['1'], 2] } },
    says: [/^policy odder.*: 1\/$/],
  },
};

describe('what is evaluated before the zones of portfw', () => {
  it.each(Object.entries(CASES))('%s', (_name, given) => {
    const runtime: FirewalldConfig = {
      ...emptyLayer(),
      zones: new Map(Object.entries(given.zones ?? {}).map(([name, text]) => [name, readZoneXml(name, text)])),
      policies: new Map(
        Object.entries(given.policies ?? {}).map(([name, settings]) => [name, POLICY.readBus(name, settings)]),
      ),
    };
    const notes = askedFirst(DESIRED, runtime, given.direct ?? []);
    expect(notes.map((note) => note.text)).toEqual(given.says.map((text) => expect.stringMatching(text)));
    expect(notes.every((note) => note.severity === 'warning')).toBe(true);
  });
});
