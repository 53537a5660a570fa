import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A thing that tests or the lab need on this machine. */
export interface Need {
  /** For messages. */
  readonly what: string;
  /** Debian's name for it; of several, the first that the machine's release has. */
  readonly packages: readonly string[];
  /** Whether nothing but our set-up is likely to have brought it, so that CI takes it away before each run. */
  readonly ours: boolean;
  isThere(): boolean;
}

const TRUSTED_KEYS = [
  '/usr/share/keyrings/debian-archive-keyring.gpg',
  '/usr/share/keyrings/debian-archive-keyring.pgp',
];

/** Everything that any command of the repository needs beyond Node, what `npm ci` brings, and a minimal Debian. */
export const NEEDS = {
  engine: { what: 'a Docker engine', packages: ['docker.io'], ours: true, isThere: program('dockerd') },
  // The engine pulls images over TLS, and a mirror may be reached over it.
  certificates: {
    what: 'root certificates',
    packages: ['ca-certificates'],
    ours: false,
    isThere: () => existsSync('/etc/ssl/certs/ca-certificates.crt'),
  },
  // With AppArmor in the kernel and without its parser the engine refuses to start.
  apparmor: {
    what: "AppArmor's parser",
    packages: ['apparmor'],
    ours: false,
    isThere: () => !kernelHasAppArmor() || findProgram('apparmor_parser') !== null,
  },
  mmdebstrap: { what: 'mmdebstrap', packages: ['mmdebstrap'], ours: true, isThere: program('mmdebstrap') },
  keyring: {
    what: "Debian's archive keys",
    packages: ['debian-archive-keyring'],
    ours: false,
    isThere: () => archiveKeys() !== null,
  },
  shellcheck: { what: 'shellcheck', packages: ['shellcheck'], ours: true, isThere: program('shellcheck') },
  // The package is called "ansible-core" from bookworm on, and "ansible" before.
  ansible: { what: 'Ansible', packages: ['ansible-core', 'ansible'], ours: true, isThere: program('ansible') },
  collections: {
    what: "Ansible's collections",
    packages: ['ansible'],
    ours: true,
    isThere: () => findProgram('ansible-playbook') !== null && hasCollections(),
  },
  openssh: { what: 'the OpenSSH client', packages: ['openssh-client'], ours: false, isThere: program('ssh') },
  // The package holds promtool, which checks metrics and rules; its service is not needed.
  promtool: { what: 'promtool', packages: ['prometheus'], ours: true, isThere: program('promtool') },
  // Diffs and reports are checked with the programs that read them elsewhere.
  patch: { what: 'patch', packages: ['patch'], ours: false, isThere: program('patch') },
  xmllint: { what: 'xmllint', packages: ['libxml2-utils'], ours: true, isThere: program('xmllint') },
  python: { what: 'Python 3', packages: ['python3'], ours: false, isThere: program('python3') },
  bash: { what: 'bash', packages: ['bash'], ours: false, isThere: program('bash') },
  zsh: { what: 'zsh', packages: ['zsh'], ours: false, isThere: program('zsh') },
  fish: { what: 'fish', packages: ['fish'], ours: false, isThere: program('fish') },
  script: { what: 'script (terminals for tests)', packages: ['bsdutils'], ours: false, isThere: program('script') },
  chromium: { what: 'Chromium', packages: ['chromium'], ours: true, isThere: program('chromium') },
} as const satisfies Readonly<Record<string, Need>>;

export type NeedName = keyof typeof NEEDS;

/** What a Docker engine of our own takes. */
export const FOR_ENGINE: readonly NeedName[] = ['engine', 'certificates', 'apparmor'];
/** What it takes to make Debian systems where none can be pulled. */
export const FOR_BASES: readonly NeedName[] = ['mmdebstrap', 'keyring'];
/** What `npm run check` takes. */
export const FOR_CHECKS: readonly NeedName[] = ['shellcheck', 'python'];
/** What the unit tests take. */
export const FOR_UNIT_TESTS: readonly NeedName[] = [
  'ansible',
  'openssh',
  'python',
  'promtool',
  'patch',
  'xmllint',
  'bash',
  'zsh',
  'fish',
  'script',
];
/** What the integration tests take besides the lab. */
export const FOR_INTEGRATION_TESTS: readonly NeedName[] = [
  'ansible',
  'collections',
  'openssh',
  'python',
  'script',
  'chromium',
];
/** What `npm run bench` takes besides the lab. */
export const FOR_BENCH: readonly NeedName[] = ['collections', 'openssh'];

/** Where a program is; `null` when it is neither in PATH nor where the system keeps its own. */
export function findProgram(name: string): string | null {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''),
    '/usr/sbin',
    '/sbin',
  ];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** The file with the keys that Debian's releases are signed with; `null` when this machine has none. */
export function archiveKeys(): string | null {
  return TRUSTED_KEYS.find((path) => existsSync(path)) ?? null;
}

function program(name: string): () => boolean {
  return () => findProgram(name) !== null;
}

function kernelHasAppArmor(): boolean {
  try {
    return readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').trim() === 'Y';
  } catch {
    return false;
  }
}

function hasCollections(): boolean {
  const folders = [
    '/usr/lib/python3/dist-packages/ansible_collections',
    '/usr/share/ansible/collections/ansible_collections',
  ];
  return folders.some((folder) => ['posix', 'netcommon'].every((name) => existsSync(join(folder, 'ansible', name))));
}
