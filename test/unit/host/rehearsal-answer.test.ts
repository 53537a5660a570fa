import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseRehearsal, parseRollbackRehearsal } from '../../../src/host/rehearsal-answer.ts';
import { rehearsedNames } from '../../../src/host/requests.ts';

const packed = (text: string) => (text === '' ? '' : deflateSync(text).toString('base64'));
const rules = (nft = '{"nftables":[]}') => ({ nft: packed(nft), save4: '', save6: '', ipsets: '' });
const state = (name: string, nft?: string) => ({
  name,
  loads: true,
  milliseconds: 200,
  modules: [],
  lost: [],
  said: [],
  rules: rules(nft),
  packets: [],
});
const answer = (states: readonly object[], more: object = {}) =>
  JSON.stringify({ kind: 'rehearsed', now: rules(), states, ...more });
const NAMES = rehearsedNames({ starts: false, reload: true });

describe("the host's answer to a rehearsal", () => {
  it('tells of all states that were asked for', () => {
    expect(parseRehearsal(answer(NAMES.map((name) => state(name))), [], NAMES)).toMatchObject({ kind: 'rehearsed' });
    expect(rehearsedNames({ starts: true, reload: false })).toEqual(['boot']);
  });

  it.each<[string, readonly string[]]>([
    ['without a state', ['disk', 'reload', 'running']],
    ['with none', []],
    ['with one of them twice', ['disk', 'reload', 'running', 'running']],
    ['with another', ['disk', 'running', 'boot', 'boot']],
  ])('is none %s', (_, names) => {
    expect(parseRehearsal(answer(names.map((name) => state(name))), [], NAMES)).toEqual({
      kind: 'not-rehearsed',
      why: expect.stringMatching(/^the host's answer cannot be understood: .*it reports /),
    });
  });

  it('does not fill the memory, however well it is packed', () => {
    const large = ' '.repeat(65 * 1024 * 1024);
    const one = parseRehearsal(answer([state('boot', large)]), [], ['boot']);
    expect(one).toMatchObject({ kind: 'not-rehearsed', why: expect.stringContaining('cannot be unpacked') });
    const nft = packed(large.slice(0, 60 << 20));
    const all = NAMES.map((name) => ({ ...state(name), rules: { nft, save4: nft, save6: '', ipsets: '' } }));
    const many = parseRehearsal(answer(all), [], NAMES);
    expect(many).toMatchObject({ kind: 'not-rehearsed', why: expect.stringContaining('cannot be unpacked') });
  }, 30_000);

  it('of a rollback names a generation, and nothing else', () => {
    const states = ['disk', 'boot'].map((name) => state(name));
    const generation = '20260301T100000Z-abcdef';
    expect(parseRollbackRehearsal(answer(states, { generation }), [])).toMatchObject({
      generation,
      rehearsal: { kind: 'rehearsed' },
    });
    for (const other of ['\u001b[2J', '../x', null])
      expect(parseRollbackRehearsal(answer(states, { generation: other }), [])).toMatchObject({
        generation: null,
        rehearsal: { kind: 'not-rehearsed' },
      });
    expect(parseRollbackRehearsal(answer(states.slice(1), { generation }), [])).toMatchObject({
      rehearsal: { kind: 'not-rehearsed' },
    });
  });
});
