import { readIpsetSave } from './read-ipset-save.ts';
import { combine, readIptablesSave } from './read-iptables-save.ts';
import { readNft } from './read-nft.ts';
import type { Ruleset } from './ruleset.ts';

/** The output of a host's programs about its rules; empty for a program that is missing or printed nothing. */
export interface RulesText {
  /** `nft -j list ruleset` */
  readonly nft: string;
  /** `iptables-save` */
  readonly save4: string;
  /** `ip6tables-save` */
  readonly save6: string;
  /** `ipset save` */
  readonly ipsets: string;
}

/** Reads all rules of a host. Never throws: what cannot be read becomes a problem of the result. */
export function readRules({ nft, save4, save6, ipsets }: RulesText): Ruleset {
  const sets = readIpsetSave(ipsets);
  const saved = [
    ...(save4 === '' ? [] : [readIptablesSave(save4, 'ip', sets)]),
    ...(save6 === '' ? [] : [readIptablesSave(save6, 'ip6', sets)]),
  ];
  return combine(readNft(nft), saved);
}
