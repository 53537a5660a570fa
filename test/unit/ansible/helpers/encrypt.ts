import { createCipheriv, createHmac, pbkdf2Sync } from 'node:crypto';

/** The password that {@link encrypt} encrypts with. */
export const PASSWORD = Buffer.from('the password of the tests');

const SALT = Buffer.alloc(32, 7);
const KEYS = pbkdf2Sync(PASSWORD, SALT, 10_000, 80, 'sha256');

/** What `ansible-vault encrypt` makes of a text, in the format 1.1; always with one salt, so that it takes no time. */
export function encrypt(text: string): string {
  const plain = Buffer.from(text);
  const padding = 16 - (plain.length % 16);
  const cipher = createCipheriv('aes-256-ctr', KEYS.subarray(0, 32), KEYS.subarray(64));
  const bytes = Buffer.concat([cipher.update(Buffer.concat([plain, Buffer.alloc(padding, padding)])), cipher.final()]);
  const mac = createHmac('sha256', KEYS.subarray(32, 64)).update(bytes).digest('hex');
  const body = Buffer.from([SALT.toString('hex'), mac, bytes.toString('hex')].join('\n')).toString('hex');
  return `$ANSIBLE_VAULT;1.1;AES256\n${(body.match(/.{1,80}/g) ?? []).join('\n')}\n`;
}
