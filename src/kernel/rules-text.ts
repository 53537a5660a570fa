import { readNft } from './read-nft.ts';
import type { Ruleset } from './ruleset.ts';
export function readRules(text: { readonly nft: string }): Ruleset {
  return readNft(text.nft);
}
