import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { HostJournal } from '../../../src/host/answers.ts';
import { readChain } from '../../../src/journal/chain.ts';
import { readHostLine } from '../../../src/journal/host-line.ts';

const HOST = path.join(import.meta.dirname, '../../../src/host/remote');
const FILES = ['observe.py', 'kinds.py', 'files.py', 'runs.py', 'generations.py', 'journal.py'];
const scratch = mkdtempSync(path.join(tmpdir(), 'portfw-host-journal-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const state = path.join(scratch, 'state');
const journal = path.join(state, 'journal.jsonl');
const head = path.join(state, 'journal.head');
beforeEach(() => {
  rmSync(state, { recursive: true, force: true });
  mkdirSync(state);
});

const RECORD = {
  holder: 'ops@desk',
  what: 'apply portaswitch',
  audit: {
    run: '20260301T100000Z-0123ab',
    plan: 'a'.repeat(64),
    file: null,
    signers: ['b@example.net'],
    journal: null,
  },
};

/** Runs lines of Python with the host's own functions, on a state folder of the test's. */
function python(lines: string): unknown {
  const source = FILES.map((file) => readFileSync(path.join(HOST, file), 'utf8')).join('\n\n');
  const program = `${source}
STATE = ${JSON.stringify(state)}
JOURNAL = STATE + "/journal.jsonl"
JOURNAL_HEAD = STATE + "/journal.head"
RECORD = json.loads(${JSON.stringify(JSON.stringify(RECORD))})
def add(number, outcome="kept", record=RECORD):
    return journal_run("20260301T100000Z-%06x" % number, outcome, "timer", "it was not kept in time", record)
${lines}
`;
  const file = path.join(scratch, 'program.py');
  writeFileSync(file, program);
  const output = execFileSync('python3', [file], { encoding: 'utf8', timeout: 20_000 });
  return output === '' ? null : JSON.parse(output);
}

const say = (expression: string): unknown => python(`json.dump(${expression}, sys.stdout)`);

function checked(): ReturnType<typeof readChain> {
  const { texts, head: last, trouble } = say('journal(None)') as HostJournal;
  expect(trouble).toEqual([]);
  return readChain(Buffer.from(texts.join(''), 'latin1'), last);
}

it('has a line for each run, which the controller reads and finds complete', () => {
  expect(say('[add(1), add(2, "reverted"), add(3, "reverted", {})]')).toEqual([null, null, null]);
  const { lines, problems, notes } = checked();
  expect([problems, notes]).toEqual([[], []]);
  const read = lines.map(({ text }) => readHostLine(text));
  expect(read[0]).toMatchObject({
    id: '20260301T100000Z-000001',
    outcome: 'kept',
    by: 'timer',
    who: 'ops@desk',
    ...RECORD.audit,
  });
  expect(read[2]).toMatchObject({ outcome: 'reverted', who: '', run: null, signers: [] });
});

it('has one line for a run that two processes end, one after the other was killed', () => {
  say('[add(1), add(1), add(2), add(2), add(1, "reverted")]');
  expect(checked().lines.length).toBe(3);
});

it('continues after a line that was torn, and shows what is missing where it continues', () => {
  say('[add(1), add(2)]');
  appendFileSync(journal, '{"at": "2026');
  say('[add(3), add(4)]');
  expect(checked()).toMatchObject({ problems: [], notes: [expect.stringContaining('line 3 ')] });
  truncateSync(journal, readFileSync(journal, 'utf8').indexOf('\n') + 1);
  say('[add(5)]');
  expect(checked().problems.map(({ code, line }) => [code, line])).toEqual([['missing', 2]]);
});

it('continues after a process that was killed before it wrote the head, and one in the middle of the next line', () => {
  say('add(1)');
  const old = readFileSync(head);
  say('add(2)');
  writeFileSync(head, old);
  appendFileSync(journal, '{"at": "2026');
  say('[add(3), add(4)]');
  expect(checked()).toMatchObject({ problems: [], notes: [expect.stringContaining('line 3 ')] });
});

it('goes on after a head or a last line that no parser can hold', () => {
  say('add(1)');
  writeFileSync(head, '['.repeat(1024));
  appendFileSync(journal, `${'['.repeat(100_000)}\n`);
  expect(say('[add(2), add(3)]')).toEqual([null, null]);
  expect(checked().problems.map(({ code }) => code)).toContain('unreadable');
});

it('goes on in a new file when it is long, with one chain', () => {
  say('[add(1), add(2)]');
  python('LARGEST_JOURNAL = 1\nadd(3)\nadd(4)\nLARGEST_JOURNAL = 10**9\nadd(5)');
  expect(existsSync(path.join(state, 'journal.2.jsonl'))).toBe(true);
  expect(checked()).toMatchObject({ problems: [], notes: [] });
  expect(checked().lines.length).toBe(5);
  const cut = python('MOST_SENT = 400\njson.dump(journal(None), sys.stdout)') as HostJournal;
  expect(cut.trouble).toEqual([expect.stringMatching(/older files are too large to send/)]);
});

describe('a journal that cannot be written', () => {
  it.each([
    ['a folder', () => mkdirSync(journal), /Is a directory|not a regular file/],
    ['a FIFO', () => execFileSync('mkfifo', [journal]), /not a regular file/],
    ['a link', () => symlinkSync('/etc/passwd', journal), /symbolic links/],
    ['a link to nothing', () => symlinkSync(path.join(scratch, 'elsewhere'), journal), /symbolic links/],
    ['its head a folder', () => mkdirSync(head), /Is a directory/],
    ['no folder for it', () => rmSync(state, { recursive: true }), /No such file/],
  ])('%s: says so at once, and raises nothing', (_what, make, why) => {
    make();
    expect(say('add(1)')).toMatch(why);
    expect(existsSync(path.join(scratch, 'elsewhere'))).toBe(false);
  });

  it('on a full disk keeps what it has', () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', state]);
    try {
      say('add(1)');
      const before = readFileSync(journal);
      const full = `
with open(STATE + "/filler", "wb", buffering=0) as filler:
    try:
        while True: filler.write(b"x" * 4096)
    except OSError: pass
json.dump([add(number) for number in range(2, 40)], sys.stdout)`;
      const said = python(full) as (string | null)[];
      expect(said.at(-1)).toMatch(/No space left/i);
      expect(readFileSync(journal).subarray(0, before.length)).toEqual(before);
      expect(readFileSync(journal).at(-1)).toBe(10);
      rmSync(path.join(state, 'filler'));
      expect(say('add(99)')).toBe(null);
      expect(checked()).toMatchObject({ problems: [], notes: [] });
    } finally {
      execFileSync('umount', [state]);
    }
  });

  it('of a record that holds anything, too', () => {
    const records = [
      '{"audit": 7}',
      '{"audit": {"who": 1}}',
      '{"audit": {"run": {"a": ["\\ud800"]}}, "holder": ["x"]}',
    ];
    for (const record of records) expect(say(`add(1, "kept", ${record})`), record).toBeTypeOf('object');
  });
});
