import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { askOpenSsh, comparable, ourAnswer, readCase, writeCase } from './ssh-config-oracle.ts';

const folder = new URL('../../fixtures/transport/ssh-config/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.conf'));

describe('ssh_config, compared with ssh -G', async () => {
  const defaults = await askOpenSsh('none', '', 'anything');

  it.each(names)('%s', async (name) => {
    const own = readCase(readFileSync(new URL(name, folder), 'utf8'));
    expect(own.hosts).not.toEqual([]);
    const file = writeCase(own);
    await Promise.all(
      own.hosts.map(async (host) => {
        const theirs = await askOpenSsh(file, own.args, host);
        expect(comparable(ourAnswer(file, own.args, host), defaults), host).toEqual(comparable(theirs, defaults));
      }),
    );
  });
});
