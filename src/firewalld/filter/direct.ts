import { children, parseXml, XmlError } from '../xml.ts';
import type { FilterFacts } from './facts.ts';

/** Chains that a packet to the host passes. */
const OUR_WAY = /^(?:INPUT|PREROUTING)(?:_direct)?$/;

/**
 * Rules of the direct interface that may decide about new flows to the host, as text, of both layers. They are
 * arguments of iptables and are evaluated before all other rules of firewalld: portfw cannot tell what they do.
 */
export function relevantDirectRules(firewalld: FilterFacts): string[] {
  const runtime = firewalld.runtime.direct.filter((text) => {
    const [kind, , , chain = ''] = text.split(' ');
    return kind === 'rule' ? OUR_WAY.test(chain) : /\b(?:INPUT|PREROUTING)\b/.test(text);
  });
  const file = firewalld.files.find(({ path }) => path === 'direct.xml');
  return [...new Set([...runtime.map(plain), ...(file === undefined ? [] : inFile(file.text))])];
}

function inFile(text: string): string[] {
  try {
    return children(parseXml(text, 'direct')).flatMap((element) => {
      const words = (element.textContent ?? '').trim();
      const attribute = (name: string) => element.getAttribute(name) ?? '';
      if (element.tagName === 'rule' && OUR_WAY.test(attribute('chain')))
        return [`rule ${['ipv', 'table', 'chain', 'priority'].map(attribute).join(' ')} ${words}`];
      return element.tagName === 'passthrough' && /\b(?:INPUT|PREROUTING)\b/.test(words)
        ? [`passthrough ${words}`]
        : [];
    });
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    // Reported as broken elsewhere.
    return [];
  }
}

/** The daemon's list of arguments (`['-p', 'tcp']`) as a command line has them. */
function plain(text: string): string {
  return text.replace(/\[(.*)\]$/, (_all, list: string) => list.replaceAll(/[',]/g, '')).trim();
}
