import { type AddressRanges, EVERY_ADDRESS, uniteAll } from '../core/address-ranges.ts';
import type { AddressFamily } from '../core/addresses.ts';
import { parseAddress } from '../core/addresses.ts';
import type { BaseChain, Rule, Table } from './ruleset.ts';
import type { SetContents } from './sets.ts';
import { one, protocolNumber, WITH_PORTS } from './values.ts';

/** Packets to or through the host: their possible sources, and their destination. */
export interface Approach {
  /** `input`: to the host itself. `forward`: through it. */
  readonly direction: 'input' | 'forward';
  readonly interface: string;
  /** The interface by which forwarded packets leave; `null` when unknown. */
  readonly outInterface: string | null;
  readonly family: AddressFamily;
  /** `tcp`, `udp`, or any other protocol by name or number. */
  readonly protocol: string;
  /** The port of the destination; `null` for protocols without ports. */
  readonly port: number | null;
  /** The source port; `null` for any port that programs send from. */
  readonly sourcePort: number | null;
  /** The type of an ICMP packet; `null` for any. */
  readonly icmpType?: number | null;
  readonly sources: AddressRanges;
  readonly destination: string;
  readonly state: 'new' | 'established';
  /** The host's own addresses. */
  readonly local: readonly string[];
  /** The first address of the interface by which they arrive, to which the kernel redirects; unknown when left out. */
  readonly redirectedTo?: string;
  /** The interface of the host's route to an address: for translated destinations. */
  readonly route?: (destination: string) => string | null;
}

/** The new destination of translated flows. */
export interface Translation {
  readonly id: number;
  readonly destination: AddressRanges;
  readonly port: AddressRanges;
  /** Whether it differs from the destination of the approach. */
  readonly elsewhere: boolean;
  /** Whether anything changes: otherwise the flow does not count as translated in the kernel. */
  readonly changes: 'yes' | 'no' | 'perhaps';
  readonly table: Table;
  readonly chain: string;
  readonly rule: Rule;
}

/** Packets that the rules have treated in the same way so far. */
export interface Flow {
  readonly sources: AddressRanges;
  /** Sources that are no longer in this flow: sorted ranges, see split.ts. */
  readonly gone: AddressRanges;
  /** `null` when it cannot be known. */
  readonly mark: bigint | null;
  readonly ctMark: bigint | null;
  readonly untracked: boolean;
  /** Whether the source has been translated. */
  readonly masked: boolean;
  readonly translation: Translation | null;
}

/** What does not depend on the flow. */
export interface Setting {
  readonly approach: Approach;
  readonly every: AddressRanges;
  readonly protocol: number | null;
  readonly sourcePort: AddressRanges;
  readonly destination: AddressRanges;
  readonly port: AddressRanges;
  /** Where a redirected flow may go. */
  readonly here: AddressRanges;
  /** The host's own addresses, the loopback's among them. */
  readonly local: AddressRanges;
}

/** Ports that programs send from: systems differ, but none uses lower ones. */
const EPHEMERAL: AddressRanges = [{ first: 1024n, last: 65535n }];
const EVERY_PORT: AddressRanges = [{ first: 0n, last: 65535n }];

const LOOPBACK: Readonly<Record<AddressFamily, AddressRanges>> = {
  ipv4: [{ first: 0x7f000000n, last: 0x7fffffffn }],
  ipv6: [one(1)],
};

export function settingOf(approach: Approach): Setting {
  const { family, port, sourcePort } = approach;
  const every = EVERY_ADDRESS[family];
  const destination = parseAddress(approach.destination);
  const own = approach.local.flatMap((text) => {
    const address = parseAddress(text);
    return address?.family === family ? [[one(address.first)]] : [];
  });
  const redirected = approach.redirectedTo === undefined ? null : parseAddress(approach.redirectedTo);
  const local = uniteAll([LOOPBACK[family], ...own]);
  return {
    approach,
    every,
    protocol: protocolNumber(approach.protocol),
    sourcePort: sourcePort === null ? EPHEMERAL : [one(sourcePort)],
    destination: destination?.family === family ? [one(destination.first)] : every,
    port: port === null ? EVERY_PORT : [one(port)],
    here: redirected?.family === family ? [one(redirected.first)] : own.length === 0 ? local : uniteAll(own),
    local,
  };
}

/** Whether a packet of the approach has ports. */
export function hasPorts({ protocol }: Setting): boolean {
  return protocol === null || WITH_PORTS.includes(protocol);
}

/** The place of a packet on its path. */
export interface Stage {
  readonly setting: Setting;
  readonly sets: SetContents;
  readonly base: BaseChain;
  readonly table: Table;
  /** By which interface it leaves; empty where that is not yet decided, `null` when unknown. */
  readonly out: string | null;
}

/** Connections are looked up at this priority in `prerouting`. */
const CONNTRACK = -200;

/** Whether the kernel knows yet which connection a packet belongs to. */
export function tracked(stage: Stage): boolean {
  return stage.base.hook !== 'prerouting' || stage.base.priority >= CONNTRACK;
}
