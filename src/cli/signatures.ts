import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileItself, InputError, Problem } from '../core/problem.ts';
import { type ProgramRun, runProgram } from '../core/run-program.ts';
import { terminalLine } from '../core/terminal-text.ts';
import { readBytes } from '../documents/read-file.ts';
import { namesOfKey, peopleAmong, type ValidSignature } from '../saved/people.ts';
import { writeWhole } from './saved-files.ts';
import { UsageError } from './usage-error.ts';

/**
 * Signatures of saved plans, made and checked by OpenSSH's own `ssh-keygen -Y`: with keys, agents and allowed_signers files
 * that exist. A signature is in a file beside the plan: `FILE.sig`, further ones in `FILE.NAME.sig`. It is over the bytes
 * of the file; what is checked here are the very bytes that the plan was read from.
 */
const NAMESPACE = 'portfw-plan';

/** A person may have to type a passphrase. */
const SIGN_TIMEOUT_MS = 120_000;
const CHECK_TIMEOUT_MS = 10_000;
const MOST_OUTPUT_BYTES = 64 * 1024;
const MOST_SIGNATURE_BYTES = 64 * 1024;
const MOST_SIGNATURES = 64;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/;
const OTHERS_MAY_READ = 0o644;

/** A file and the bytes that were read from it, or written to it. */
export interface SignedFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The signatures that lie beside a file, sorted; at most as many as anybody would check. */
export function signatureFiles(file: string): readonly string[] {
  const folder = path.dirname(file);
  const beginning = `${path.basename(file)}.`;
  const isOne = (entry: string) =>
    entry.startsWith(beginning) && (entry === `${beginning}sig` || /^[^/]+\.sig$/.test(entry.slice(beginning.length)));
  return readdirSync(folder)
    .filter(isOne)
    .sort()
    .slice(0, MOST_SIGNATURES)
    .map((entry) => path.join(folder, entry));
}

/**
 * Signs a file. The signature of another key is never overwritten.
 *
 * @param by the private key, or the public one of a key that the agent holds; and a name for a further signature
 * @returns what was done, as lines to show
 * @throws UsageError when it cannot be signed
 */
export async function signFile(
  { path: file, bytes }: SignedFile,
  { key, name }: { readonly key: string; readonly name: string | null },
): Promise<string> {
  if (name !== null && !NAME.test(name))
    throw new UsageError(
      `--name ${JSON.stringify(terminalLine(name))} cannot be part of a file's name`,
      'Use letters, digits, "_", ".", "@" and "-"',
    );
  const signature = await inPrivateFolder(async (folder) => {
    const copy = path.join(folder, 'plan');
    writeFileSync(copy, bytes, { mode: 0o600 });
    const argv = ['ssh-keygen', '-Y', 'sign', '-f', key, '-n', NAMESPACE, copy] as const;
    const { ok, said } = await keygen({ argv, timeoutMs: SIGN_TIMEOUT_MS, maxBytes: null, mayAsk: true });
    if (!ok)
      throw new UsageError(
        `ssh-keygen cannot sign with ${terminalLine(key)}: ${said}`,
        'Name a private key, or FILE.pub of a key that is in the agent ("ssh-add -l" lists them)',
      );
    return readBytes(`${copy}.sig`, MOST_SIGNATURE_BYTES);
  });
  const target = name === null ? `${file}.sig` : `${file}.${name}.sig`;
  const isThere = existsSync(target);
  if (isThere && keyIn(readBytes(target, MOST_SIGNATURE_BYTES)) !== keyIn(signature))
    throw new UsageError(
      `${terminalLine(target)} is there already, and by another key`,
      `Sign beside it: portfw sign FILE --key KEY --name NAME, which writes FILE.NAME.sig; or remove it if it is of no use`,
    );
  // Of two people who sign at the same moment, one is told.
  writeWhole(target, signature, OTHERS_MAY_READ, !isThere);
  const signed = await signerOf({ path: file, bytes }, target);
  return `Signed by ${signed.kind === 'signed' ? signed.key : terminalLine(key)} in ${terminalLine(target)}\n`;
}

/** What a signature says of a file, without a judgement on whose key it is. */
export type SignatureState =
  | { readonly kind: 'signed'; readonly key: string }
  | { readonly kind: 'wrong'; readonly why: string };

/** By which key a file is signed. @throws UsageError when there is no ssh-keygen */
export async function signerOf({ bytes }: SignedFile, signature: string): Promise<SignatureState> {
  return withCopy(signature, async (copy) => {
    const argv = ['ssh-keygen', '-Y', 'check-novalidate', '-n', NAMESPACE, '-s', copy] as const;
    const { ok, said, stdout } = await keygen({
      argv,
      timeoutMs: CHECK_TIMEOUT_MS,
      maxBytes: MOST_OUTPUT_BYTES,
      input: bytes,
    });
    const key = ok ? keyNamed(stdout) : null;
    return key === null ? { kind: 'wrong', why: said } : { kind: 'signed', key };
  });
}

/**
 * Who has signed a file, of those that an allowed_signers file names.
 *
 * @param count how many different people there must be
 * @returns a name and a key for each
 * @throws InputError when fewer have signed
 */
export async function requireSigners(file: SignedFile, allowed: string, count: number): Promise<readonly string[]> {
  if (!existsSync(allowed))
    throw new UsageError(
      `--require-signature: there is no file ${terminalLine(allowed)}`,
      'Name an allowed_signers file of OpenSSH: a name and a public key in each line',
    );
  const signatures = signatureFiles(file.path);
  const valid: ValidSignature[] = [];
  const wrong: Problem[] = [];
  for (const signature of signatures) {
    // One that cannot be read does not undo the others.
    const checked = await validated(file, signature, allowed).catch((error: unknown) => {
      if (error instanceof InputError) return { why: error.problems.map(({ what }) => what).join('; ') };
      throw error;
    });
    if ('key' in checked) valid.push(checked);
    else wrong.push(unsigned(signature, checked.why, 'Have the file signed again'));
  }
  const people = peopleAmong(valid);
  if (people.length >= count) return people;
  const signed = people.length === 0 ? 'nobody who may sign has signed it' : `only ${people.join(', ')} signed it`;
  const what = count === 1 ? signed : `${signed}, and ${count} different people must`;
  const name = signatures.length === 0 ? '' : ' --name NAME';
  const solve = `Have it signed: portfw sign ${terminalLine(file.path)} --key KEY${name}; ${terminalLine(allowed)} says who may`;
  throw new InputError([unsigned(file.path, what, solve), ...wrong]);
}

function unsigned(file: string, what: string, solve: string): Problem {
  return new Problem({ severity: 'error', code: 'not-signed', what, solve, location: fileItself(file) });
}

async function validated(
  { bytes }: SignedFile,
  signature: string,
  allowed: string,
): Promise<ValidSignature | { readonly why: string }> {
  return withCopy(signature, async (copy) => {
    const common = { timeoutMs: CHECK_TIMEOUT_MS, maxBytes: MOST_OUTPUT_BYTES };
    const found = await keygen({
      argv: ['ssh-keygen', '-Y', 'find-principals', '-s', copy, '-f', allowed],
      ...common,
    });
    const principals = found.stdout.split(/[\n,]/).map((name) => name.trim());
    const names = principals.filter((name) => name !== '' && !name.startsWith('!'));
    if (!found.ok || names.length === 0)
      return { why: `${terminalLine(allowed)} does not have its key (${found.said})` };
    let why = '';
    // One line of the file may limit a name to other times or uses, and another line not.
    for (const name of names) {
      const { ok, said, stdout } = await keygen({
        argv: ['ssh-keygen', '-Y', 'verify', '-f', allowed, '-I', name, '-n', NAMESPACE, '-s', copy],
        ...common,
        input: bytes,
      });
      const key = ok ? keyNamed(stdout) : null;
      if (key !== null) {
        const all = namesOfKey(readFileSync(allowed, 'utf8'), key.slice(key.indexOf(' ') + 1));
        return { principals: [...new Set([...names, ...all])].map((one) => terminalLine(one, 100)), key };
      }
      why = said;
    }
    return { why: `it does not fit the file, or its key may not sign now (${why})` };
  });
}

/** `ED25519 SHA256:…` out of what ssh-keygen prints of a good signature. */
function keyNamed(stdout: string): string | null {
  const match = /^Good .* with ([A-Z0-9-]+) key (SHA256:[A-Za-z0-9+/]{43})\s*$/m.exec(stdout);
  return match === null ? null : `${match[1]} ${match[2]}`;
}

interface Said {
  readonly ok: boolean;
  readonly stdout: string;
  /** The last line of its errors. */
  readonly said: string;
}

async function keygen(run: ProgramRun): Promise<Said> {
  const outcome = await runProgram({ ...run, environment: { LC_ALL: 'C' } });
  if (outcome.kind === 'not-started')
    throw new UsageError(
      `ssh-keygen cannot be started (${outcome.errno})`,
      'Install the programs of OpenSSH, 8.2 or later: signatures are made and checked by them',
    );
  const last = 'said' in outcome ? (outcome.said.trim().split('\n').at(-1) ?? '') : '';
  const said = terminalLine(last === '' ? outcome.kind : last);
  if (outcome.kind !== 'exited') return { ok: false, stdout: '', said };
  return { ok: outcome.exitCode === 0, stdout: outcome.stdout.toString('utf8'), said };
}

/** Calls something with a copy of a signature, which nobody can exchange between two looks at it. */
function withCopy<T>(signature: string, use: (copy: string) => Promise<T>): Promise<T> {
  return inPrivateFolder((folder) => {
    const copy = path.join(folder, 'signature');
    writeFileSync(copy, readBytes(signature, MOST_SIGNATURE_BYTES), { mode: 0o600 });
    return use(copy);
  });
}

async function inPrivateFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'portfw-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The public key in a signature (PROTOCOL.sshsig), in base64; `null` if it is none. */
function keyIn(signature: Buffer): string | null {
  const armoured = /-----BEGIN SSH SIGNATURE-----([A-Za-z0-9+/=\s]+)-----END SSH SIGNATURE-----/.exec(
    signature.toString('latin1'),
  );
  if (armoured === null) return null;
  const blob = Buffer.from(armoured[1]!, 'base64');
  if (blob.subarray(0, 6).toString('latin1') !== 'SSHSIG' || blob.length < 14) return null;
  const length = blob.readUInt32BE(10);
  return blob.subarray(14, 14 + length).toString('base64');
}
