import type { LabHost } from '../../lab/host.ts';

/** One file or folder as it lies on the disk. */
export interface FileState {
  /** Octal mode, owner, type. */
  readonly kind: string;
  /** `null` for what is no regular file. */
  readonly sha256: string | null;
  /** Seconds since the epoch, with all digits that the file system has. */
  readonly modified: string;
}

const LIST = `
for folder; do [ -e "$folder" ] || continue; find "$folder" -printf '%m %U:%G %y\\t%T@\\t%p\\n'; done
echo
for folder; do [ -e "$folder" ] || continue; find "$folder" -type f -exec sha256sum {} +; done`;

/** Everything below the given folders, by path; folders that do not exist have nothing. */
export async function filesBelow(host: LabHost, ...folders: readonly string[]): Promise<Map<string, FileState>> {
  const [listed = '', hashed = ''] = (await host.sh(LIST, ...folders)).split('\n\n');
  const hashes = new Map(
    hashed
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => [line.slice(66), line.slice(0, 64)]),
  );
  return new Map(
    listed
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [kind = '', modified = '', path = ''] = line.split('\t');
        return [path, { kind, modified, sha256: hashes.get(path) ?? null }];
      }),
  );
}

/** Names, contents, owners and modes, without times. */
export function withoutTimes(files: ReadonlyMap<string, FileState>): Record<string, string> {
  return Object.fromEntries([...files].map(([path, { kind, sha256 }]) => [path, `${kind} ${sha256 ?? ''}`]));
}

/** The kernel's rules with their handles, which change as soon as a rule is made anew. */
export async function rulesWithHandles(host: LabHost): Promise<string> {
  return withoutCounters(await host.run('nft', '-a', 'list', 'ruleset'));
}

function withoutCounters(rules: string): string {
  return rules.replace(/counter packets \d+ bytes \d+/g, 'counter');
}

/** The handle of firewalld's table: a reload makes the table anew, and nothing else does. */
export async function tableHandle(host: LabHost): Promise<string> {
  const listed = JSON.parse(await host.run('nft', '-j', 'list', 'tables')) as {
    readonly nftables: readonly { readonly table?: { family: string; name: string; handle: number } }[];
  };
  const found = listed.nftables.find(({ table }) => table?.family === 'inet' && table.name === 'firewalld');
  if (found?.table === undefined) throw new Error(`${host.name} has no table of firewalld`);
  return String(found.table.handle);
}

/** How many logins by key sshd has let in since the host booted. */
export async function logins(host: LabHost): Promise<number> {
  const journal = await host.run('journalctl', '--unit=ssh', '--output=cat', '--no-pager');
  return journal.split('\n').filter((line) => line.includes('Accepted publickey')).length;
}

/** What firewalld and the kernel say of the runtime, in a form that equal configurations have in common. */
export async function runtimeState(
  host: LabHost,
): Promise<{ readonly zones: Zones; readonly rules: readonly string[] }> {
  // Tables stand in the order in which they were made, which means nothing.
  const tables = withoutCounters(await host.run('nft', 'list', 'ruleset')).split(/^(?=table )/m);
  const rules = tables.sort().flatMap((table) => table.split('\n').map((line) => line.trimEnd()));
  return { zones: await zones(host), rules };
}

/** What `firewall-cmd --list-all-zones` prints of each zone, by zone and field; rich rules are one value each. */
type Zones = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

/** The zones of the runtime, or of the permanent configuration. */
export async function zones(host: LabHost, layer: 'runtime' | 'permanent' = 'runtime'): Promise<Zones> {
  const text = await host.run('firewall-cmd', ...(layer === 'permanent' ? ['--permanent'] : []), '--list-all-zones');
  const found = new Map<string, Map<string, string[]>>();
  let zone = new Map<string, string[]>();
  let rules: string[] = [];
  for (const line of text.split('\n')) {
    const field = /^ {2}([a-z-]+(?: [a-z]+)?):(.*)$/.exec(line);
    if (/^\S/.test(line)) {
      zone = new Map();
      found.set(line.split(' ')[0]!, zone);
    } else if (field !== null) {
      const values = field[2]!.trim();
      rules = values === '' ? [] : values.split(' ').sort();
      zone.set(field[1]!, rules);
    } else if (line.trim() !== '') rules.push(line.trim());
  }
  for (const fields of found.values()) for (const values of fields.values()) values.sort();
  return found;
}

/** The lines of one chain in the kernel, as nft prints them; empty when there is no such chain. */
export function chain(rules: readonly string[], name: string): string[] {
  const start = rules.indexOf(`\tchain ${name} {`);
  if (start === -1) return [];
  const rest = rules.slice(start + 1);
  return rest.slice(0, rest.indexOf('\t}')).map((line) => line.trim());
}
