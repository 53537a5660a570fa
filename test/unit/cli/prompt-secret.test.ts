import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { promptSecret } from '../../../src/cli/prompt-secret.ts';
import { secretFromEnvironment } from '../../../src/core/environment.ts';

describe('secretFromEnvironment', () => {
  it('reads each variable', () => {
    const environment = { PORTFW_BECOME_PASSWORD: 'a', PORTFW_SSH_PASSWORD: 'b', PORTFW_KEY_PASSPHRASE: 'c' };
    const names = ['becomePassword', 'sshPassword', 'keyPassphrase'] as const;
    expect(names.map((name) => secretFromEnvironment(name, environment)?.reveal())).toEqual(['a', 'b', 'c']);
  });

  it('takes an empty variable for none', () => {
    expect(secretFromEnvironment('becomePassword', { PORTFW_BECOME_PASSWORD: '' })).toBeNull();
    expect(secretFromEnvironment('becomePassword', {})).toBeNull();
  });
});

/** A terminal's two directions; `modes` notes when echo was turned off and on. */
function terminal() {
  const modes: boolean[] = [];
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (raw: boolean) => void modes.push(raw) });
  let shown = '';
  const outcome = promptSecret('Password: ', input, { write: (text) => (shown += text) });
  return { input, modes, outcome, shown: () => shown };
}

describe('promptSecret', () => {
  it.each([
    ['a password', 'hunter2\r', 'hunter2'],
    ['a line feed', 'hunter2\n', 'hunter2'],
    ['backspaces', 'hunterr\u007f22\b\r', 'hunter2'],
    ['a backspace too many', '\u007fx\r', 'x'],
    ['a line taken back', 'wrong\u0015right\r', 'right'],
    ['other scripts', 'pässwörd🔑\r', 'pässwörd🔑'],
    ['control characters', 'a\u0001\u001bb\r', 'ab'],
    ['Ctrl-D after something', 'ab\u0004c\r', 'abc'],
    ['nothing', '\r', ''],
  ])('takes %s', async (_what, typed, secret) => {
    const { input, modes, outcome, shown } = terminal();
    // Byte by byte, as a slow hand or a slow line delivers it.
    for (const byte of Buffer.from(typed)) input.write(Buffer.from([byte]));
    const result = await outcome;
    expect(result.kind === 'entered' && result.secret.reveal()).toBe(secret);
    expect(shown()).toBe('Password: \n');
    expect(modes).toEqual([true, false]);
    expect(input.listenerCount('data')).toBe(0);
  });

  it.each([
    ['Ctrl-C', 'abc\u0003'],
    ['Ctrl-D on an empty line', '\u0004'],
  ])('is cancelled by %s', async (_what, typed) => {
    const { input, modes, outcome } = terminal();
    input.write(typed);
    expect(await outcome).toEqual({ kind: 'cancelled' });
    expect(modes).toEqual([true, false]);
  });

  it('is cancelled by an end of input', async () => {
    const { input, outcome } = terminal();
    input.end();
    expect(await outcome).toEqual({ kind: 'cancelled' });
  });

  it('asks nobody without a terminal', async () => {
    expect(await promptSecret('Password: ', new PassThrough())).toEqual({ kind: 'no-terminal' });
  });
});
