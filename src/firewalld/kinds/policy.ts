import { parsePortRange } from '../../core/ports.ts';
import type { RunningFirewalld } from '../../facts/facts.ts';
import { loadedFile } from '../loaded.ts';
import type { PortProtocol } from '../model.ts';
import { normalisePorts, normaliseStrings } from '../normalise.ts';
import { portOf, required, richRuleOf } from '../read-xml.ts';
import { canonicalRichRule } from '../rich-rule.ts';
import { attribute, children, parseXml, XmlError } from '../xml.ts';

/** firewalld.policy(5), as far as it decides about flows towards the host itself. */
export interface PolicyConfig {
  readonly name: string;
  /** Below 0 before the zones, above 0 after them. */
  readonly priority: number;
  readonly target: 'CONTINUE' | 'ACCEPT' | 'DROP' | 'REJECT';
  readonly ingressZones: readonly string[];
  readonly egressZones: readonly string[];
  readonly services: readonly string[];
  readonly ports: readonly PortProtocol[];
  readonly protocols: readonly string[];
  readonly masquerade: boolean;
  /** As in `ZoneConfig`. */
  readonly forwardPorts: readonly string[];
  readonly richRules: readonly string[];
}

/** The policies of a host in both of firewalld's layers. */
export interface ObservedPolicies {
  /** By file below /etc/firewalld; the built-in ones are known from runtime only, and are in there too. */
  readonly permanent: ReadonlyMap<string, PolicyConfig>;
  /** Those that are in force. One whose zones nothing is bound to is not, until something is. */
  readonly runtime: ReadonlyMap<string, PolicyConfig>;
}

const DEFAULT_PRIORITY = -1;

function targetOf(text: string): PolicyConfig['target'] {
  if (text === 'ACCEPT' || text === 'DROP' || text === 'REJECT') return text;
  return text === '%%REJECT%%' ? 'REJECT' : 'CONTINUE';
}

/** Reads the policies out of the facts. A file that cannot be read is passed over: it is reported as broken elsewhere. */
export function observedPolicies(facts: Pick<RunningFirewalld, 'files' | 'runtime' | 'version'>): ObservedPolicies {
  const runtime = new Map<string, PolicyConfig>();
  for (const [name, settings] of Object.entries(facts.runtime.policies))
    runtime.set(name, runtimePolicy(name, settings));
  const permanent = new Map<string, PolicyConfig>();
  for (const { path, text } of facts.files) {
    const file = loadedFile(path, facts.version);
    if (file.kind !== 'loaded' || file.folder !== 'policies') continue;
    const { name } = file;
    try {
      permanent.set(name, readPolicyXml(name, text));
    } catch (error) {
      if (!(error instanceof XmlError)) throw error;
    }
  }
  for (const [name, policy] of runtime) if (!permanent.has(name)) permanent.set(name, policy);
  return { permanent, runtime };
}

/** Reads a policy file. @throws XmlError when it is malformed or lacks what firewalld needs */
export function readPolicyXml(name: string, text: string): PolicyConfig {
  const root = parseXml(text, 'policy');
  const all = children(root);
  const of = (tag: string) => all.filter((element) => element.tagName === tag);
  return {
    name,
    priority: Number(attribute(root, 'priority') ?? DEFAULT_PRIORITY) || 0,
    target: targetOf(attribute(root, 'target') ?? ''),
    ingressZones: of('ingress-zone').map((element) => required(element, 'name')),
    egressZones: of('egress-zone').map((element) => required(element, 'name')),
    services: normaliseStrings(of('service').map((element) => required(element, 'name'))),
    ports: normalisePorts(of('port').map(portOf)),
    protocols: of('protocol').map((element) => required(element, 'value')),
    masquerade: of('masquerade').length > 0,
    forwardPorts: of('forward-port').map((element) =>
      ['port', 'protocol', 'to-port', 'to-addr'].map((field) => attribute(element, field) ?? '').join(':'),
    ),
    richRules: normaliseStrings(of('rule').map(richRuleOf)),
  };
}

/** A policy as D-Bus has it; what is not as it should be is left out, since only the host's daemon could have said it. */
function runtimePolicy(name: string, settings: Readonly<Record<string, unknown>>): PolicyConfig {
  const list = (key: string): readonly unknown[] => {
    const value = settings[key];
    return Array.isArray(value) ? value : [];
  };
  const strings = (key: string) => list(key).filter((item) => typeof item === 'string');
  const tuples = (key: string) => list(key).flatMap((item) => (Array.isArray(item) ? [item.map(String)] : []));
  const priority = settings['priority'];
  return {
    name,
    priority: typeof priority === 'number' ? priority : DEFAULT_PRIORITY,
    target: targetOf(String(settings['target'] ?? '')),
    ingressZones: strings('ingress_zones'),
    egressZones: strings('egress_zones'),
    services: normaliseStrings(strings('services')),
    ports: tuples('ports').flatMap(([port = '', protocol = '']) => {
      const range = parsePortRange(port);
      return typeof range === 'string' ? [] : [{ protocol, range }];
    }),
    protocols: strings('protocols'),
    masquerade: settings['masquerade'] === true,
    forwardPorts: tuples('forward_ports').map((parts) => parts.join(':')),
    richRules: normaliseStrings(strings('rich_rules').map(canonicalRichRule)),
  };
}
