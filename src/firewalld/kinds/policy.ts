import { parsePortRange } from '../../core/ports.ts';
import type { PortProtocol } from '../model.ts';
import { normalisePorts, normaliseStrings } from '../normalise.ts';
import { normaliseRules, parseRichRule, type RichRule } from '../rich-rule.ts';
import { richRuleOf } from '../rich-rule-xml.ts';
import { attribute, children, parseXml, XmlError } from '../xml.ts';
import type { BusSettings } from './bus-parts.ts';
import type { Kind } from './kind.ts';
import { byTag, eachRequired, forwardPortOf, portOf } from './xml-parts.ts';
import { rulesReferTo } from './zone.ts';

/** firewalld.policy(5), as far as it decides about flows. portfw reads policies, and writes none yet. */
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
  readonly sourcePorts: readonly PortProtocol[];
  readonly masquerade: boolean;
  /** As in `ZoneConfig`. */
  readonly forwardPorts: readonly string[];
  readonly richRules: readonly RichRule[];
}

const DEFAULT_PRIORITY = -1;

function targetOf(text: string): PolicyConfig['target'] {
  if (text === 'ACCEPT' || text === 'DROP' || text === 'REJECT') return text;
  return text === '%%REJECT%%' ? 'REJECT' : 'CONTINUE';
}

/** Reads a policy file. @throws XmlError when it is malformed or lacks what firewalld needs */
function readPolicyXml(name: string, text: string): PolicyConfig {
  const root = parseXml(text, 'policy');
  const of = byTag(children(root));
  return {
    name,
    priority: Number(attribute(root, 'priority') ?? DEFAULT_PRIORITY) || 0,
    target: targetOf(attribute(root, 'target') ?? ''),
    ingressZones: eachRequired(of('ingress-zone'), 'name'),
    egressZones: eachRequired(of('egress-zone'), 'name'),
    services: normaliseStrings(eachRequired(of('service'), 'name')),
    ports: normalisePorts(of('port').map(portOf)),
    protocols: eachRequired(of('protocol'), 'value'),
    sourcePorts: normalisePorts(of('source-port').map(portOf)),
    masquerade: of('masquerade').length > 0,
    forwardPorts: of('forward-port').map(forwardPortOf),
    richRules: normaliseRules(of('rule').map(richRuleOf)),
  };
}

/** A policy that firewalld would not load decides about nothing, and nothing of portfw depends on it. */
function readOrPassOver(name: string, text: string): PolicyConfig | null {
  parseXml(text, null);
  try {
    return readPolicyXml(name, text);
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    return null;
  }
}

/** Fields with an unexpected form are left out: they can only come from the host's daemon. */
function readPolicyBus(name: string, settings: BusSettings): PolicyConfig {
  const list = (key: string): readonly unknown[] => {
    const value = settings[key];
    return Array.isArray(value) ? value : [];
  };
  const strings = (key: string) => list(key).filter((item) => typeof item === 'string');
  const tuples = (key: string) => list(key).flatMap((item) => (Array.isArray(item) ? [item.map(String)] : []));
  const ports = (key: string) =>
    tuples(key).flatMap(([port = '', protocol = '']) => {
      const range = parsePortRange(port);
      return typeof range === 'string' ? [] : [{ protocol, range }];
    });
  const priority = settings['priority'];
  return {
    name,
    priority: typeof priority === 'number' ? priority : DEFAULT_PRIORITY,
    target: targetOf(String(settings['target'] ?? '')),
    ingressZones: strings('ingress_zones'),
    egressZones: strings('egress_zones'),
    services: normaliseStrings(strings('services')),
    ports: ports('ports'),
    protocols: strings('protocols'),
    sourcePorts: ports('source_ports'),
    masquerade: settings['masquerade'] === true,
    forwardPorts: tuples('forward_ports').map((parts) => parts.join(':')),
    richRules: normaliseRules(strings('rich_rules').map(parseRichRule)),
  };
}

export const POLICY: Kind<'policies', 'policy', PolicyConfig> = {
  folder: 'policies',
  object: 'policy',
  fileName: /^[\p{L}\p{N}_-]{1,18}$/u,
  readXml: readOrPassOver,
  readBus: readPolicyBus,
  refersTo: ({ services, richRules }) => {
    const named = rulesReferTo(richRules);
    return { services: [...services, ...named.services], ipsets: named.ipsets };
  },
};
