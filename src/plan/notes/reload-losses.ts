import type { RunningFirewalld } from '../../facts/facts.ts';
import type { PolicyConfig } from '../../firewalld/kinds/policy.ts';
import { isOurs } from '../../firewalld/model.ts';
import { formatPort } from '../../firewalld/normalise.ts';
import type { ObservedFirewalld } from '../../firewalld/observed.ts';
import { keepsOnReload } from '../../firewalld/stock.ts';
import { attribute, children, parseXml, XmlError } from '../../firewalld/xml.ts';

/** A foreign setting in both of firewalld's layers, one line for each item. */
export interface TwoLayers {
  /** The beginning of a sentence: `policy dmz-to-lan`, `the direct interface`. */
  readonly what: string;
  readonly runtime: readonly string[];
  readonly permanent: readonly string[];
  /** Whether a reload keeps the runtime: with `FlushAllOnReload=no`, rules of the direct interface. */
  readonly kept: boolean;
}

/** Foreign policies and direct rules, for what a reload removes and loads. */
export function othersLayers(
  { permanent, runtime }: Pick<ObservedFirewalld, 'permanent' | 'runtime'>,
  facts: Pick<RunningFirewalld, 'files' | 'runtime'>,
): readonly TwoLayers[] {
  const policies = [...runtime.policies.values()].flatMap((policy): TwoLayers[] => {
    const file = permanent.policies.get(policy.name);
    // One without a file is built in.
    if (isOurs(policy.name) || file === undefined) return [];
    return [{ what: `policy ${policy.name}`, runtime: contents(policy), permanent: contents(file), kept: false }];
  });
  const text = facts.files.find(({ path }) => path === 'direct.xml')?.text;
  return [
    ...policies,
    {
      what: 'the direct interface',
      runtime: facts.runtime.direct.map(plain),
      permanent: text === undefined ? [] : directRules(text),
      kept: keepsOnReload(facts.files),
    },
  ];
}

function contents(policy: PolicyConfig): string[] {
  return [
    ...(policy.target === 'CONTINUE' ? [] : [`target ${policy.target}`]),
    ...policy.ingressZones.map((zone) => `ingress zone ${zone}`),
    ...policy.egressZones.map((zone) => `egress zone ${zone}`),
    ...policy.services.map((name) => `service ${name}`),
    ...policy.ports.map((port) => `port ${formatPort(port)}`),
    ...policy.protocols.map((protocol) => `protocol ${protocol}`),
    ...policy.forwardPorts.map((forward) => `forward port ${forward}`),
    ...policy.richRules.map(({ text }) => text),
  ];
}

/** The rules of direct.xml, written like those of the runtime. A broken file is reported elsewhere. */
function directRules(text: string): string[] {
  try {
    return children(parseXml(text, 'direct')).flatMap((element) => {
      const of = (name: string) => attribute(element, name) ?? '';
      const args = element.textContent ?? '';
      if (element.tagName === 'passthrough') return [plain(`passthrough ${of('ipv')} ${args}`)];
      if (element.tagName !== 'rule') return [];
      return [plain(`rule ${of('ipv')} ${of('table')} ${of('chain')} ${of('priority')} ${args}`)];
    });
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    return [];
  }
}

/** The daemon's lists of arguments as plain words, as in the file. */
function plain(text: string): string {
  return text
    .replaceAll(/["'[\],]/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
