import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { lookUp } from '../../../src/transport/ssh-config/ssh-config.ts';
import { SshConfigFiles } from '../../../src/transport/ssh-config/ssh-config-files.ts';
import { resolveHost } from '../../../src/transport/ssh-config/ssh-config-resolve.ts';
import {
  askOpenSsh,
  comparable,
  environment,
  HOME,
  ourAnswer,
  removeCases,
  writeCase,
} from './helpers/ssh-config-oracle.ts';

/** Configurations that nobody would write, in pieces that OpenSSH reads: whatever it makes of them, we do too. */

const HOSTS = ['web1', 'web2.example.net', 'DB1', '192.0.2.7'] as const;

const pattern = fc.constantFrom(
  '*',
  'web*',
  'web?',
  '*.example.net',
  'db1',
  'DB*',
  '192.0.2.*',
  'w?b1',
  '*1',
  'none',
  '?',
);
const patterns = fc
  .array(fc.tuple(fc.constantFrom('', '', '', '!'), pattern), { minLength: 1, maxLength: 3 })
  .map((list) => list.map(([negation, text]) => negation + text));
const path = fc.constantFrom(
  '/k/a',
  '~/.ssh/id',
  '/k/with space',
  '/k/%h-%n',
  'none',
  '/k/a#b',
  "/k/o'clock",
  '/k/100%%',
);
const hop = fc
  .tuple(
    fc.constantFrom('', 'op@', 'a.b@'),
    fc.constantFrom('gate', 'g.example.net', '[2001:db8::1]', '192.0.2.1'),
    fc.constantFrom('', ':22', ':2222'),
  )
  .map((parts) => parts.join(''));

/** A word as it may be written: bare, in quotes of either kind, with escapes. */
const written = (text: string): fc.Arbitrary<string> =>
  fc.constantFrom(
    ...(/[\s#'"\\]/.test(text) ? [] : [text, text]),
    `"${text.replace(/["\\]/g, '\\$&')}"`,
    ...(text.includes("'") ? [] : [`'${text}'`]),
    text.replace(/[ '"\\]/g, '\\$&').replace(/^#/, '"#"'),
  );

const word = (key: string, values: fc.Arbitrary<string>): fc.Arbitrary<readonly [string, string]> =>
  values.chain(written).map((text) => [key, text] as const);

const option = fc.oneof(
  word('HostName', fc.constantFrom('192.0.2.1', 'Host.Example.NET', '%h.example.net', 'x%%y', '2001:db8::5')),
  word('User', fc.constantFrom('op', 'root', 'a b', 'EXAMPLE\\op')),
  word('Port', fc.constantFrom('22', '2222', '00080', '65535')),
  word('IdentityFile', path),
  word('IdentitiesOnly', fc.constantFrom('yes', 'no', 'TRUE', 'False')),
  word('IdentityAgent', fc.constantFrom('none', 'SSH_AUTH_SOCK', '~/agent', '/run/%r/%p', '/with space')),
  word('HostKeyAlias', fc.constantFrom('alias', 'Alias.Example.NET')),
  word('StrictHostKeyChecking', fc.constantFrom('yes', 'no', 'ask', 'accept-new', 'off')),
  word('ConnectTimeout', fc.constantFrom('5', '1m', '1h1s', 'none')),
  word('ServerAliveInterval', fc.constantFrom('0', '15', '2m')),
  word('ServerAliveCountMax', fc.constantFrom('0', '4')),
  word('AddressFamily', fc.constantFrom('any', 'inet', 'inet6')),
  word('HostKeyAlgorithms', fc.constantFrom('ssh-ed25519', '-ecdsa*', '^rsa-sha2-256', 'rsa-sha2-512,ssh-ed25519')),
  fc.array(path, { minLength: 1, maxLength: 3 }).chain((files) => {
    const usual = files.length > 1 ? files.filter((file) => file !== 'none') : files;
    return usual.length === 0
      ? fc.constant(['UserKnownHostsFile', '/k/only'] as const)
      : fc.tuple(...usual.map(written)).map((texts) => ['UserKnownHostsFile', texts.join(' ')] as const);
  }),
  fc
    .oneof(
      fc.array(hop, { minLength: 1, maxLength: 3 }).map((hops) => hops.join(',')),
      fc.constant('none'),
    )
    .map((text) => ['ProxyJump', text] as const),
  fc
    .constantFrom('none', 'nc %h %p', 'sh -c "nc %h %p" # all of it', "  echo 'a", '"relay" %r')
    .filter((text) => (text.match(/'/g) ?? []).length % 2 === 0)
    .map((text) => ['ProxyCommand', text] as const),
  fc
    .constantFrom(['Compression', 'yes'], ['LogLevel', 'ERROR'], ['SendEnv', 'LANG LC_*'], ['ForwardAgent', 'no'])
    .map(([key, text]) => [key!, text!] as const),
);

const criterion = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('host', 'originalhost', 'user', '!host', '!user'),
      patterns.map((list) => list.join(',')),
    )
    .map((parts) => parts.join(' ')),
  fc.constantFrom('final', '!canonical', 'canonical', `localuser ${environment.localUser}`),
);
const block = fc.oneof(
  patterns.chain((list) => fc.tuple(...list.map(written))).map((list) => ['Host', list.join(' ')] as const),
  fc.array(criterion, { minLength: 1, maxLength: 3 }).map((list) => ['Match', list.join(' ')] as const),
  fc.constantFrom('all', 'final all', '!all').map((text) => ['Match', text] as const),
);

const line = fc
  .tuple(
    fc.oneof({ weight: 3, arbitrary: option }, { weight: 1, arbitrary: block }),
    fc.constantFrom('', '  ', '\t'),
    fc.constantFrom(' ', '=', ' = ', '\t', '  '),
    fc.constantFrom(
      (text: string) => text,
      (text: string) => text.toLowerCase(),
      (text: string) => text.toUpperCase(),
    ),
    fc.constantFrom('', '', ' ', ' # comment', '\r'),
  )
  .map(([[key, value], indent, separator, spelling, end]) => {
    // A comment behind a command is part of it; "none # comment" is a jump host named none to OpenSSH, but not to us.
    const tail = /^Proxy/.test(key) && end.includes('#') ? '' : end;
    return `${indent}${spelling(key)}${key === 'Match' ? ' ' : separator}${value}${tail}`;
  });

const config = fc
  .array(fc.oneof({ weight: 12, arbitrary: line }, { weight: 1, arbitrary: fc.constantFrom('', '# note', '   ') }), {
    maxLength: 14,
  })
  .map((lines) => `${lines.join('\n')}\n`);

afterAll(removeCases);

describe('random configurations, compared with ssh -G', () => {
  it('mean the same', async () => {
    const defaults = await askOpenSsh('none', '', 'anything');
    await fc.assert(
      fc.asyncProperty(config, fc.constantFrom(...HOSTS), async (text, host) => {
        const file = writeCase({ hosts: [host], args: '', files: new Map([['config', text]]) });
        const theirs = await askOpenSsh(file, '', host).catch(() => null);
        if (theirs === null) {
          expect(errors(file, host), text).not.toEqual([]);
          return;
        }
        expect(problems(file, host), text).toEqual([]);
        expect(comparable(ourAnswer(file, '', host), defaults), text).toEqual(comparable(theirs, defaults));
      }),
      { numRuns: Number(process.env['PORTFW_RUNS'] ?? 80), seed: Number(process.env['PORTFW_SEED'] ?? 9) },
    );
  }, 120_000);
});

/** What we find wrong with a configuration by itself. */
function problems(file: string, host: string): readonly string[] {
  const files = new SshConfigFiles({ home: HOME, file });
  const found = lookUp({ originalHost: host, given: [], files, ownFile: null, environment });
  return found.problems.map(({ what }) => what);
}

/** What keeps us from connecting, a way that leads to its own beginning included. */
function errors(file: string, host: string): readonly string[] {
  const defaults = {
    agentSocket: null,
    acceptNewHostKeys: false,
    connectTimeoutMs: 1000,
    keepalive: { intervalMs: 1000, countMax: 3 },
    fileExists: () => true,
  };
  const files = new SshConfigFiles({ home: HOME, file });
  const found = resolveHost(host, [], null, { files, environment, defaults });
  return found.problems.filter(({ severity }) => severity === 'error').map(({ what }) => what);
}
