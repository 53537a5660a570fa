import { SECTIONS, type SectionName } from '../../../../src/facts/sections.ts';

const USUAL: Partial<Record<SectionName, readonly string[]>> = {
  system: ['uid 0', 'kernel 6.1.0-18-amd64', 'hostname sip1'],
  os: ['ID=debian', 'VERSION_ID="12"', 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"'],
};

/** What the probe prints on a host about which there is little to say, with some sections replaced. */
export function probeText(replaced: Partial<Record<SectionName, readonly string[]>> = {}): string {
  const sections = { ...USUAL, ...replaced };
  const blocks = SECTIONS.map((name) =>
    [`\n@@${name}`, ...(sections[name] ?? []).map((line) => ` ${line}`)].join('\n'),
  );
  return `\n@@portfw-facts\n${blocks.join('\n')}\n\n@@end\n`;
}

const HASH = 'a'.repeat(64);

/** The smallest complete answer of the collector on a host whose firewalld runs. */
export function runningFirewalld(replaced: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    kind: 'running',
    version: '1.3.3',
    state: 'RUNNING',
    backend: 'nftables',
    defaultZone: 'public',
    panicMode: false,
    zoneDrifting: false,
    ipsetsUsable: true,
    helpers: ['ftp', 'tftp'],
    hash: HASH,
    permanentHash: HASH,
    runtimeHash: HASH,
    files: [{ path: 'zones/public.xml', text: '<zone/>\n', mode: '0644', owner: '0:0', sha256: HASH }],
    builtin: [{ path: 'zones/drop.xml', text: '<zone/>\n' }],
    runtime: { zones: { public: { services: ['ssh'] } }, services: {}, ipsets: {}, policies: {}, direct: [] },
    ...replaced,
  };
}
