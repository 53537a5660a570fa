import type { Lab } from '../../lab/lab.ts';
import type { Side } from '../../lab/network.ts';
import { differences } from './expected-open.ts';

/** A look at one address, and what must be open there. */
interface Look {
  /** `null` (an IPv6 address of a lab without IPv6) is passed over. */
  readonly at: string | null;
  readonly open: ReadonlySet<string>;
  /** The further address of the scanner that knocks, by its number; its own address when there is none. IPv4 alone. */
  readonly as?: { readonly side: Side; readonly number: number };
  /** All of them by default. */
  readonly tcp?: string;
}

/** Scans load a small machine so much that more at a time only lose packets. */
const SCANS_AT_ONCE = 2;

/** Looks at hosts from the lab's scanner, which gets further addresses on its networks to play peers. */
export class Looker {
  readonly #lab: Lab;
  readonly #udp: string;
  readonly #interfaces: Readonly<Record<Side, string>>;

  private constructor(lab: Lab, udp: string, interfaces: Readonly<Record<Side, string>>) {
    this.#lab = lab;
    this.#udp = udp;
    this.#interfaces = interfaces;
  }

  /** @param udp the UDP ports of every look, in nmap's notation */
  static async start(lab: Lab, udp: string, further: readonly NonNullable<Look['as']>[]): Promise<Looker> {
    const on = async (side: Side) => {
      const route = await run(lab, 'ip', '-o', 'route', 'show', lab.networks[side].subnet);
      return / dev (\S+)/.exec(route)![1]!;
    };
    const interfaces = { public: await on('public'), private: await on('private') };
    for (const { side, number } of further) {
      await run(lab, 'ip', 'address', 'add', `${lab.spareAddress(side, number).v4}/32`, 'dev', interfaces[side]);
    }
    return new Looker(lab, udp, interfaces);
  }

  /** What is open and must not be, or must be and is not, by address; an empty record when all is as it must be. */
  async compare(...looks: readonly Look[]): Promise<Readonly<Record<string, object>>> {
    const found: Record<string, object> = {};
    const lookAt = async (look: Look): Promise<void> => {
      const { at, as } = look;
      if (at === null) return;
      const different = as === undefined ? await this.#scan(at, look) : await this.#scanAs(at, as, look);
      if (different !== null) found[as === undefined ? at : `${at} from ${as.side} ${as.number}`] = different;
    };
    const work = async (queue: (readonly Look[])[]): Promise<void> => {
      for (let group = queue.shift(); group !== undefined; group = queue.shift())
        for (const look of group) await lookAt(look);
    };
    // Who knocks is set by routes of the scanner: strangers are done before the first of them changes, and those who knock
    // at one address come one after the other.
    const strangers = looks.filter(({ as }) => as === undefined).map((look) => [look]);
    const named = looks.filter(({ as }) => as !== undefined);
    const known = [...new Set(named.map(({ at }) => at))].map((at) => named.filter((look) => look.at === at));
    for (const queue of [strangers, known]) {
      await Promise.all(Array.from({ length: SCANS_AT_ONCE }, () => work(queue)));
    }
    return found;
  }

  /**
   * What did not answer although it should is looked at once more: a busy machine loses packets, and no lost packet
   * ever makes a closed port look open.
   */
  async #scan(address: string, { open: expected, tcp }: Look): Promise<object | null> {
    const first = await this.#lab.scanner.scan(address, { udp: this.#udp, ...(tcp === undefined ? {} : { tcp }) });
    const open = new Set(first.open);
    const missed = (protocol: string): string | null => {
      const names = [...expected].filter((name) => name.startsWith(protocol) && !open.has(name));
      return names.length === 0 ? null : names.map((name) => name.slice(protocol.length)).join(',');
    };
    const again = { tcp: missed('tcp/'), udp: missed('udp/') };
    if (again.tcp !== null || again.udp !== null) {
      for (const name of (await this.#lab.scanner.scan(address, again)).open) open.add(name);
    }
    return differences(open, expected);
  }

  async #scanAs(address: string, as: NonNullable<Look['as']>, look: Look): Promise<object | null> {
    const source = this.#lab.spareAddress(as.side, as.number).v4;
    const device = this.#interfaces[as.side];
    await run(this.#lab, 'ip', 'route', 'replace', `${address}/32`, 'dev', device, 'src', source);
    try {
      return await this.#scan(address, look);
    } finally {
      await run(this.#lab, 'ip', 'route', 'delete', `${address}/32`);
    }
  }
}

async function run(lab: Lab, ...argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await lab.scanner.exec(argv);
  if (exitCode !== 0) throw new Error(`${argv.join(' ')} on the scanner ended with ${exitCode}: ${stderr}`);
  return stdout;
}
