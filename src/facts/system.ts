import { readHostAddress, readPort } from './addresses.ts';
import type { ControllerPath, OsFacts } from './facts.ts';
import { shortName, Unreadable } from './unreadable.ts';

/** The kernel's release, the host name, and whether the probe ran as root. Throws `Unreadable`. */
export function parseSystem(lines: readonly string[]): { kernel: string; hostname: string; root: boolean } {
  const value = (key: string): string => {
    const line = lines.find((candidate) => candidate.startsWith(`${key} `));
    if (line === undefined) throw new Unreadable('system', `the ${key} is missing`);
    return line.slice(key.length + 1);
  };
  const uid = value('uid');
  if (!/^\d{1,10}$/.test(uid)) throw new Unreadable('system', 'the user id is not a number');
  return { kernel: shortName(value('kernel')), hostname: shortName(value('hostname')), root: uid === '0' };
}

/**
 * `/etc/os-release`: assignments as a shell has them. Format: https://www.freedesktop.org/software/systemd/man/os-release.html
 * Missing values are empty strings; they are only shown to people.
 */
export function parseOsRelease(lines: readonly string[]): OsFacts {
  const values = new Map<string, string>();
  for (const line of lines) {
    const found = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line.trim());
    if (found !== null) values.set(found[1]!, shortName(unquote(found[2]!)));
  }
  return {
    id: values.get('ID') ?? '',
    versionId: values.get('VERSION_ID') ?? '',
    prettyName: values.get('PRETTY_NAME') ?? '',
  };
}

function unquote(text: string): string {
  const quoted = /^"(.*)"$|^'(.*)'$/.exec(text);
  if (quoted === null) return text;
  return quoted[2] ?? quoted[1]!.replaceAll(/\\([\\"$`])/g, '$1');
}

/**
 * sshd's `SSH_CONNECTION`: client address and port, server address and port. `null` if there is none (a local
 * connection), or if sshd itself did not know it (`UNKNOWN`). Throws `Unreadable` for anything else.
 */
export function parseSshConnection(lines: readonly string[]): ControllerPath | null {
  const line = lines[0]?.trim() ?? '';
  if (line === '' || line.startsWith('UNKNOWN ')) return null;
  const parts = line.split(' ');
  const client = readHostAddress(parts[0] ?? '');
  const clientPort = readPort(parts[1] ?? '');
  const server = readHostAddress(parts[2] ?? '');
  const serverPort = readPort(parts[3] ?? '');
  if (parts.length !== 4 || client === null || clientPort === null || server === null || serverPort === null) {
    throw new Unreadable('ssh', 'SSH_CONNECTION is not an address and a port of both ends');
  }
  return { clientAddress: client.address, clientPort, serverAddress: server.address, serverPort };
}
