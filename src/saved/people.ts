import { createHash } from 'node:crypto';

/** A signature that was verified. */
export interface ValidSignature {
  /** The names that the allowed_signers file has for its key. */
  readonly principals: readonly string[];
  /** `ED25519 SHA256:…` */
  readonly key: string;
}

/**
 * Who has signed: one entry a person, with a name and a key. Signatures by one key are one person's, whatever names it has, and
 * so are those by different keys of one name.
 */
export function peopleAmong(signatures: readonly ValidSignature[]): readonly string[] {
  const people: { readonly marks: Set<string>; readonly text: string }[] = [];
  for (const { principals, key } of signatures) {
    // The same key in a certificate has another type, and the same fingerprint.
    const marks = new Set([`key ${key.slice(key.indexOf(' ') + 1)}`, ...principals.map((name) => `name ${name}`)]);
    const same = people.filter((person) => [...marks].some((mark) => person.marks.has(mark)));
    for (const person of same) people.splice(people.indexOf(person), 1);
    for (const person of same) for (const mark of person.marks) marks.add(mark);
    people.push({ marks, text: same[0]?.text ?? `${principals[0] ?? 'somebody'} (${key})` });
  }
  return people.map(({ text }) => text).sort();
}

/**
 * All names that an allowed_signers file has for a key: `ssh-keygen -Y find-principals` gives those of the first line only, and
 * one person must not count twice because of a second one.
 *
 * @param allowed the text of the file (ssh-keygen(1), ALLOWED SIGNERS): names with commas, options, the key's type and the key
 * @param fingerprint `SHA256:…`
 */
export function namesOfKey(allowed: string, fingerprint: string): readonly string[] {
  return allowed.split('\n').flatMap((line) => {
    const [names = '', ...rest] = line.trim().split(/\s+/);
    const key = rest.find((word) => word.startsWith('AAAA'));
    if (key === undefined || names.startsWith('#')) return [];
    const sum = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64').replace(/=+$/, '');
    return `SHA256:${sum}` === fingerprint
      ? names.split(',').filter((name) => name !== '' && !name.startsWith('!'))
      : [];
  });
}
