import type { LabHost } from '../lab/host.ts';

/** What a run may change on a host, as text that two looks can be compared by. */
export interface HostState {
  /** A line a file below /etc/firewalld: path, mode, owner, SHA-256. Links and leftovers count too. */
  readonly files: readonly string[];
  /** The kernel's rules, in their order; firewalld builds them from what runs. */
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
  return { files: those('file').sort(), rules: those('rule'), zones: those('zone') };
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
