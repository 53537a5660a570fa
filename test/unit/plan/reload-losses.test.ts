import { expect, it } from 'vitest';
import { observedFirewalld } from '../../../src/firewalld/observed.ts';
import { stockFirewalld } from '../../../src/firewalld/offline.ts';
import { othersLayers, type TwoLayers } from '../../../src/plan/notes/reload-losses.ts';
import { NOTHING_RUNS } from './helpers/nothing.ts';

function differences(input: {
  readonly files?: Readonly<Record<string, string>>;
  readonly direct?: readonly string[];
  readonly policies?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}): string[] {
  const files = Object.entries(input.files ?? {}).map(([path, text]) => ({
    path,
    text,
    mode: '0644',
    owner: '0:0',
    sha256: 'a',
  }));
  const runtime = { ...NOTHING_RUNS, policies: input.policies ?? {}, direct: input.direct ?? [] };
  const missing = (from: readonly string[], to: readonly string[]) => from.filter((item) => !to.includes(item));
  const observed = observedFirewalld({ ...stockFirewalld(), files, runtime });
  return othersLayers(observed, { files, runtime }).flatMap(({ what, runtime: loaded, permanent }: TwoLayers) => [
    ...missing(loaded, permanent).map((item) => `${what} loses ${item}`),
    ...missing(permanent, loaded).map((item) => `${what} gets ${item}`),
  ]);
}

const DIRECT = `<direct>
  <chain ipv="ipv4" table="filter" chain="mine"/>
  <rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-p tcp --dport 9 -j ACCEPT</rule>
  <passthrough ipv="ipv4">-A INPUT -s 192.0.2.1 -j DROP</passthrough>
</direct>`;
// As the host's Python writes what the daemon says.
const RULE = "rule ipv4 filter INPUT 0 ['-p', 'tcp', '--dport', '9', '-j', 'ACCEPT']";
const PASSTHROUGH = 'passthrough ["ipv4", ["-A", "INPUT", "-s", "192.0.2.1", "-j", "DROP"]]';

it('direct rules are the same in both of their spellings', () => {
  expect(differences({ files: { 'direct.xml': DIRECT }, direct: [RULE, PASSTHROUGH] })).toEqual([]);
});

it('direct rules at runtime only are lost, and those in the file only come', () => {
  expect(differences({ direct: [RULE] })).toEqual([
    'the direct interface loses rule ipv4 filter INPUT 0 -p tcp --dport 9 -j ACCEPT',
  ]);
  expect(differences({ files: { 'direct.xml': DIRECT }, direct: [RULE] })).toEqual([
    'the direct interface gets passthrough ipv4 -A INPUT -s 192.0.2.1 -j DROP',
  ]);
  expect(differences({ files: { 'direct.xml': '<direct><rule' }, direct: [RULE] })).toHaveLength(1);
});

it('policies of others are compared by what they do, and one without a file is built in', () => {
  const file =
    '<policy target="ACCEPT"><ingress-zone name="dmz"/><egress-zone name="HOST"/><service name="ssh"/></policy>';
  const loaded = { target: 'ACCEPT', ingress_zones: ['dmz'], egress_zones: ['HOST'], services: ['ssh'] };
  const at = (policy: Readonly<Record<string, unknown>>) =>
    differences({ files: { 'policies/dmz-in.xml': file }, policies: { 'dmz-in': policy, 'allow-host-ipv6': {} } });
  expect(at(loaded)).toEqual([]);
  expect(at({ ...loaded, services: [], ports: [['8080', 'tcp']] })).toEqual([
    'policy dmz-in loses port 8080/tcp',
    'policy dmz-in gets service ssh',
  ]);
});
