import { describe, expect, it } from 'vitest';
import { parseFacts } from '../../../src/facts/parse-facts.ts';
import { probeText, runningFirewalld } from './helpers/probe-text.ts';

const WIRED = {
  uuid: '0a6d1e5c-8f0b-4d7a-9a44-0c8b5f1e2d3c',
  connection: 'site: control \\ voice',
  zone: 'internal',
  interfaces: ['em1.20'],
  unsaved: false,
};

function parsed(replaced: Record<string, unknown>) {
  const firewalld = [JSON.stringify(runningFirewalld(replaced))];
  return parseFacts(probeText({ 'firewalld-version': ['installed', "'1.3.3'"], firewalld }));
}

function connections(replaced: Record<string, unknown>): unknown {
  const found = parsed(replaced);
  return found.kind === 'facts' && found.facts.firewalld.kind === 'running'
    ? found.facts.firewalld.networkManager
    : found;
}

describe("NetworkManager's connections", () => {
  it('are read as they are, and are none where nothing is said of them', () => {
    expect(connections({ networkManager: [WIRED] })).toEqual([WIRED]);
    expect(connections({})).toEqual([]);
  });

  it('carry no control characters', () => {
    const esc = '\u001b[2J\n';
    const nasty = { ...WIRED, connection: esc, zone: esc, interfaces: [esc] };
    expect(JSON.stringify(connections({ networkManager: [nasty] }))).not.toMatch(/\\u001b|\\n/);
  });

  it.each([
    ['uuid', '--help'],
    ['uuid', `${WIRED.uuid}\n`],
    ['zone', null],
    ['interfaces', 'eth0'],
    ['unsaved', 'no'],
  ])('are refused with another %s', (key, value) => {
    expect(parsed({ networkManager: [{ ...WIRED, [key]: value }] })).toMatchObject({
      kind: 'unreadable',
      section: 'firewalld',
      why: expect.stringContaining(key),
    });
  });
});
