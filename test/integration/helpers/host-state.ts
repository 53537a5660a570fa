import type { LabHost } from '../../lab/host.ts';

/** What a run may change on a host, as text that two looks can be compared by. */
export interface HostState {
  /** A line a file below /etc/firewalld: path, mode, owner, SHA-256. Links and leftovers count too. */
  readonly files: readonly string[];
  /** The kernel's rules; see {@link rulesInForce}. */
  readonly rules: readonly string[];
  /** Zones in use and their interfaces, as the daemon says; empty when it does not answer. */
  readonly zones: readonly string[];
}

const LOOK = `
if [ -d /etc/firewalld ]; then
  cd /etc/firewalld
  find . -type l -printf 'file %p -> %l\\n' -o -type f -exec sh -c '
    for f; do printf "file %s %s %s\\n" "$f" "$(stat -c "%a %U:%G" "$f")" "$(sha256sum <"$f")"; done' sh {} +
fi
nft list ruleset 2>/dev/null | sed 's/^/rule /'
busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone \\
  getActiveZones 2>/dev/null | sed 's/^/zone /' || true
`;

/** Looks at a host through the engine, whatever its firewall says. */
export async function stateOf(host: LabHost): Promise<HostState> {
  const lines = (await host.sh(LOOK)).split('\n');
  const those = (kind: string) =>
    lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
  return { files: those('file').sort(), rules: rulesInForce(those('rule')), zones: those('zone') };
}

/**
 * The rules that a packet can meet, from `nft list ruleset`: chains that no hook leads to are left out (firewalld leaves
 * those of a zone that it no longer uses until the next reload), and so is the order where it says nothing: of chains, of
 * the interfaces in a dispatch, and of rules that all accept.
 */
export function rulesInForce(lines: readonly string[]): readonly string[] {
  const blocks = new Map<string, string[]>();
  let table = '';
  let block: string[] | null = null;
  for (const line of lines) {
    if (/^table /.test(line)) table = line.replace(' {', '');
    else if (/^\t\S.* \{$/.test(line)) {
      block = [];
      blocks.set(`${table} ${line.trim().replace(' {', '')}`, block);
    } else if (line === '\t}') block = null;
    else if (line.trim() !== '') block?.push(line.trim());
  }
  const met = new Set<string>();
  const meet = (name: string, from: string): void => {
    if (met.has(name)) return;
    met.add(name);
    for (const line of blocks.get(name) ?? []) {
      const next = /\b(?:jump|goto) (\S+)$/.exec(line)?.[1];
      if (next !== undefined) meet(`${from} chain ${next}`, from);
    }
  };
  for (const [name, content] of blocks) {
    if (!name.includes(' chain ') || content[0]?.includes(' hook ')) meet(name, name.replace(/ (?:chain|set) .*$/, ''));
  }
  return [...met].sort().flatMap((name) => [`${name}:`, ...inSomeOrder(blocks.get(name) ?? [])]);
}

function inSomeOrder(rules: readonly string[]): readonly string[] {
  if (rules.every((rule) => rule.endsWith(' accept'))) return [...rules].sort();
  const named = rules.filter((rule) => /^[io]ifname "\S+" goto /.test(rule));
  return [...named.sort(), ...rules.filter((rule) => !named.includes(rule))];
}

/** {@link stateOf} for several hosts at once, by name. */
export async function statesOf(hosts: readonly LabHost[]): Promise<Readonly<Record<string, HostState>>> {
  return Object.fromEntries(await Promise.all(hosts.map(async (host) => [host.name, await stateOf(host)] as const)));
}

/** Whether a run holds the host's lock. */
export async function isLocked(host: LabHost): Promise<boolean> {
  return (await host.exec(['test', '-e', '/run/portfw/lock'])).exitCode === 0;
}

/** What portfw remembers on a host: every path below /var/lib/portfw, or `null` when there is no such folder. */
export async function remembered(host: LabHost): Promise<readonly string[] | null> {
  const { exitCode, stdout } = await host.exec(['find', '/var/lib/portfw', '-mindepth', '1', '-printf', '%P\\n']);
  return exitCode === 0 ? stdout.split('\n').filter((line) => line !== '') : null;
}
