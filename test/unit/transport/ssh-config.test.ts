import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { SshConfigFiles } from '../../../src/transport/ssh-config/ssh-config-files.ts';
import { resolveHost } from '../../../src/transport/ssh-config/ssh-config-resolve.ts';
import {
  askOpenSsh,
  type Case,
  comparable,
  environment,
  HOME,
  logOfOpenSsh,
  ourAnswer,
  readCase,
  removeCases,
  writeCase,
} from './helpers/ssh-config-oracle.ts';

const folder = new URL('../../fixtures/transport/ssh-config/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.conf'));

afterAll(removeCases);

/** The answer of an OpenSSH that lacks a mend, as one that has it gives it. */
function withFix(answer: Awaited<ReturnType<typeof askOpenSsh>>, { fixed }: Case): typeof answer {
  if (fixed === undefined) return answer;
  const given = answer.get(fixed.key) ?? [];
  expect([[], [fixed.value]]).toContainEqual(given);
  return new Map([...answer, [fixed.key, [fixed.value]]]);
}

describe('ssh_config, compared with ssh -G', async () => {
  const defaults = await askOpenSsh('none', '', 'anything');

  it.each(names)('%s', async (name) => {
    const own = readCase(readFileSync(new URL(name, folder), 'utf8'));
    expect(own.hosts).not.toEqual([]);
    const file = writeCase(own);
    await Promise.all(
      own.hosts.map(async (host) => {
        const theirs = withFix(await askOpenSsh(file, own.args, host), own);
        expect(comparable(ourAnswer(file, own.args, host), defaults), host).toEqual(comparable(theirs, defaults));
      }),
    );
  });
});

describe('tokens, compared with what ssh says that it does', () => {
  it.each([
    ['of a plain host', 'web1', ''],
    ['of an alias', 'web1', '  HostName 192.0.2.9\n  Port 2222\n  User op\n'],
    ['of a host with another name for its key', 'web1', '  HostName H.Example.NET\n  HostKeyAlias Alias.Example.NET\n'],
    ['of an address', '2001:db8::7', '  User op\n'],
  ])('%s', async (_what, host, lines) => {
    const text = `Host ${host}\n${lines}  IdentityFile ~/%%-%h-%n-%p-%r-%u-%k-%i-%L-%l\n  IdentityFile %d/x%C\n  ProxyCommand true %h %n %p %r %k %%\n`;
    const file = writeCase({ hosts: [host], args: '', files: new Map([['config', text]]) });
    // The command ends at once, and with it the attempt; what it would have done is in the log.
    const log = await logOfOpenSsh(file, host);
    const said = (pattern: RegExp): readonly string[] => [...log.matchAll(pattern)].map(([, found = '']) => found);
    const defaults = {
      agentSocket: null,
      acceptNewHostKeys: false,
      connectTimeoutMs: 1000,
      keepalive: { intervalMs: 1000, countMax: 3 },
      fileExists: () => true,
    };
    const files = new SshConfigFiles({ home: HOME, file });
    const { endpoint, route, problems } = resolveHost(host, [], null, { files, environment, defaults });
    expect(problems).toEqual([]);
    expect(route).toEqual({ kind: 'command', command: said(/Executing proxy command: exec (.*?)\r?$/gm)[0] });
    // A certificate is looked for beside each.
    expect(endpoint.privateKeyFiles).toEqual(
      said(/identity file (.*) type -1/g).filter((name) => !name.endsWith('-cert')),
    );
  });
});
