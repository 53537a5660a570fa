import { randomFrom } from '../../helpers/seeded-random.ts';

/** Random but sound configurations of firewalld, and rules beside it, for hosts of the lab. */

/** The ports that a look from outside asks for. A server answers on each. */
export const TCP_PORTS: readonly number[] = [22, 80, 443, 1000, 1001, 1002, 1003, 2000, 8080];
export const UDP_PORTS: readonly number[] = [53, 1000, 1001, 1002, 5060];

export interface Surroundings {
  readonly interface: string;
  readonly address: string;
  readonly privateAddress: string;
  /** An interface behind which another machine is. */
  readonly behind: string;
  /** Whoever knocks: IPv4 addresses of one network. */
  readonly callers: readonly string[];
}

export interface RandomConfig {
  /** Below /etc/firewalld, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** For `nft -f`. */
  readonly nft: string;
}

const ZONES = ['alpha', 'beta', 'gamma'];

class Maker {
  readonly #random: () => number;
  readonly #around: Surroundings;

  constructor(seed: number, around: Surroundings) {
    this.#random = randomFrom(seed);
    this.#around = around;
  }

  make(): RandomConfig {
    const files: Record<string, string> = {};
    for (const name of ['seta', 'setb']) {
      files[`ipsets/${name}.xml`] =
        `<ipset type="${name === 'seta' ? 'hash:ip' : 'hash:net'}">${this.#entries(name === 'setb')}</ipset>`;
    }
    const sources = this.#shuffled([...this.#networks(), 'ipset:seta', 'ipset:setb']);
    const bound = this.#pick(['public', ...ZONES]);
    const inner = this.#pick(['public', ...ZONES]);
    for (const zone of ['public', ...ZONES]) {
      if (zone !== 'public' && this.#chance(0.3)) continue;
      const own = zone === 'public' ? [] : sources.splice(0, this.#number(0, 2));
      const interfaces = [
        ...(zone === bound ? [this.#around.interface] : []),
        ...(zone === inner ? [this.#around.behind] : []),
      ]
        .map((name) => `<interface name="${name}"/>`)
        .join('');
      const forward = this.#chance(0.5) ? '<forward/>' : '';
      const target = this.#pick(['', '', '', ' target="ACCEPT"', ' target="DROP"', ' target="%%REJECT%%"']);
      files[`zones/${zone}.xml`] =
        `<zone${target}><short>${zone}</short>${interfaces}${own.map(sourceXml).join('')}${forward}${this.#holder()}</zone>`;
    }
    for (const name of ['first', 'second'].slice(0, this.#number(0, 2))) {
      const target = this.#pick(['CONTINUE', 'CONTINUE', 'CONTINUE', 'ACCEPT', 'DROP', 'REJECT']);
      const zones = Object.keys(files).flatMap((file) => /^zones\/(.*)\.xml$/.exec(file)?.[1] ?? []);
      const from = this.#chance(0.6) ? 'ANY' : this.#pick(zones);
      const priority = this.#pick([-100, -50, -1, 1, 50]) + (name === 'first' ? 0 : 7);
      files[`policies/${name}.xml`] =
        `<policy target="${target}" priority="${priority}"><ingress-zone name="${from}"/><egress-zone name="HOST"/>${this.#holder(false)}</policy>`;
    }
    if (this.#chance(0.6)) {
      const zones = Object.keys(files).flatMap((file) => /^zones\/(.*)\.xml$/.exec(file)?.[1] ?? []);
      const [from, to] = [this.#pick(['ANY', ...zones]), this.#pick(['ANY', ...zones])];
      const target = this.#pick(['CONTINUE', 'CONTINUE', 'ACCEPT', 'DROP', 'REJECT']);
      files['policies/through.xml'] =
        `<policy target="${target}" priority="${this.#pick([-20, 20])}"><ingress-zone name="${from}"/><egress-zone name="${to}"/>${this.#holder(false)}</policy>`;
    }
    if (this.#chance(0.3)) files['direct.xml'] = `<direct>${this.#direct()}</direct>`;
    return { files, nft: this.#chance(0.5) ? this.#table() : '' };
  }

  #chance(of: number): boolean {
    return this.#random() < of;
  }

  #number(from: number, to: number): number {
    return from + Math.floor(this.#random() * (to - from + 1));
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }

  #some<T>(items: readonly T[], most: number): T[] {
    return this.#shuffled(items).slice(0, this.#number(0, most));
  }

  #shuffled<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, at: this.#random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item);
  }

  #networks(): string[] {
    const { callers } = this.#around;
    return [...callers, ...callers.map((caller) => caller.replace(/\.\d+$/, '.0/25')), '203.0.113.0/24'].filter(
      (item, index, all) => all.indexOf(item) === index,
    );
  }

  #entries(networks: boolean): string {
    const some = this.#some(this.#around.callers, 3);
    const all = networks && this.#chance(0.3) ? ['203.0.113.0/24', ...some] : ['203.0.113.9', ...some];
    return all.map((entry) => `<entry>${entry}</entry>`).join('');
  }

  #port(): { readonly port: string; readonly protocol: 'tcp' | 'udp' } {
    const protocol = this.#chance(0.7) ? 'tcp' : 'udp';
    if (this.#chance(0.2)) return { port: this.#pick(['1000-1001', '1001-1003', '1-1024', '400-2000']), protocol };
    return { port: String(this.#pick(protocol === 'tcp' ? TCP_PORTS : UDP_PORTS)), protocol };
  }

  /** @param forwards firewalld cannot load policies with forward ports in every order */
  #holder(forwards = true): string {
    const port = (tag: string) => {
      const { port: number, protocol } = this.#port();
      return `<${tag} port="${number}" protocol="${protocol}"/>`;
    };
    const once = (items: readonly string[]) => [...new Set(items)].join('');
    const parts = [
      once(this.#some(['ssh', 'http', 'https', 'dns', 'sip'], 2).map((name) => `<service name="${name}"/>`)),
      once(Array.from({ length: this.#number(0, 3) }, () => port('port'))),
      this.#chance(0.1) ? `<protocol value="${this.#pick(['tcp', 'udp', 'gre'])}"/>` : '',
      this.#chance(0.1) ? `<source-port port="${this.#pick(['1-1023', '1024-65535'])}" protocol="tcp"/>` : '',
      forwards && this.#chance(0.3) ? this.#forward() : '',
      once(Array.from({ length: this.#number(0, 4) }, () => this.#rich())),
    ];
    return parts.join('');
  }

  #forward(): string {
    const port = this.#pick(TCP_PORTS.filter((one) => one !== 22));
    const to = this.#pick([443, 1003, 2000, 9]);
    const address = this.#pick(['', '', ` to-addr="${this.#around.privateAddress}"`, ' to-addr="203.0.113.77"']);
    return `<forward-port port="${port}" protocol="tcp" to-port="${to}"${address}/>`;
  }

  #rich(): string {
    const priority = this.#chance(0.4) ? ` priority="${this.#number(-9, 9) * 10 + this.#number(0, 9)}"` : '';
    const invert = this.#chance(0.2) ? ' invert="True"' : '';
    const source = this.#pick([
      '',
      `<source address="${this.#pick(this.#networks())}"${invert}/>`,
      `<source ipset="${this.#pick(['seta', 'setb'])}"${invert}/>`,
    ]);
    const destination = this.#chance(0.2)
      ? `<destination address="${this.#pick([this.#around.address, this.#around.privateAddress, '203.0.113.0/24'])}"/>`
      : '';
    const { port, protocol } = this.#port();
    const element = this.#pick([
      '',
      `<port port="${port}" protocol="${protocol}"/>`,
      `<port port="${port}" protocol="${protocol}"/>`,
      `<service name="${this.#pick(['ssh', 'http', 'dns'])}"/>`,
      `<protocol value="${protocol}"/>`,
    ]);
    const action = this.#pick(['<accept/>', '<accept/>', '<drop/>', '<reject/>']);
    return `<rule${priority} family="ipv4">${source}${destination}${element}${action}</rule>`;
  }

  #direct(): string {
    return Array.from({ length: this.#number(1, 3) }, (_, index) => {
      const { port, protocol } = this.#port();
      const source = this.#chance(0.7) ? `-s ${this.#pick(this.#networks())} ` : '';
      const ports = `-p ${protocol} --dport ${port.replace('-', ':')}`;
      const target = this.#pick(['ACCEPT', 'DROP', 'REJECT']);
      const negated = this.#chance(0.2) ? '! ' : '';
      return `<rule ipv="ipv4" table="filter" chain="INPUT" priority="${index}">${source === '' ? '' : negated}${source}${ports} -j ${target}</rule>`;
    }).join('');
  }

  /** Rules as an administrator might write them beside firewalld. */
  #table(): string {
    const { callers, interface: name, address } = this.#around;
    const port = () => this.#pick(TCP_PORTS);
    const caller = () => this.#pick(callers);
    const verdict = () => this.#pick(['accept', 'drop', 'reject', 'jump extra', 'goto extra', 'return']);
    // A map knows no refusal with an answer.
    const decision = () => verdict().replace('reject', 'drop');
    const marked = this.#pick(['0x7', '0x17', '0xff']);
    const rules = this.#shuffled([
      `ip saddr ${caller()} tcp dport { ${port()}, ${port()}-9000 } ${verdict()}`,
      `tcp dport vmap { 80 : ${decision()}, 1000-1002 : ${decision()} }`,
      `ip saddr . tcp dport { ${caller()} . ${port()}, ${caller()} . ${port()} } ${verdict()}`,
      `ip saddr . tcp dport @pairs ${verdict()}`,
      `ip saddr @listed udp dport != 53 ${verdict()}`,
      `iifname "${name.slice(0, 2)}*" ip saddr != @listed tcp dport ${port()} ${verdict()}`,
      `meta mark & 0xf == 0x7 tcp dport ${port()} ${verdict()}`,
      `meta mark ${marked} tcp dport ${port()} drop`,
      `ct mark 0x3 udp dport 1000 ${verdict()}`,
      `ct state new tcp flags & (fin|syn|rst|ack) == syn tcp dport ${port()} ${verdict()}`,
      'ct state invalid drop',
      `meta l4proto { tcp, udp } th dport 1001 counter ${verdict()}`,
      `ip saddr vmap @decided`,
      `fib daddr type local tcp dport ${port()} ${verdict()}`,
      `ip daddr ${address} ip protocol udp udp dport > 5000 ${verdict()}`,
      `ct direction original ct status dnat counter accept`,
      `meta pkttype host tcp sport 1-1023 drop`,
    ]).slice(0, this.#number(2, 7));
    const early = this.#shuffled([
      `ip saddr ${caller()} meta mark set ${marked}`,
      `ip saddr ${caller()} meta mark set meta mark | 0x10 ct mark set 0x3`,
      `tcp dport ${port()} ip saddr ${caller()} drop`,
      `iifname ${name} ip saddr ${caller()} udp dport 1002 notrack`,
    ]).slice(0, this.#number(0, 3));
    const { behind } = this.#around;
    const forward = this.#shuffled([
      `iifname "${name}" oifname "${behind}" tcp dport ${port()} drop`,
      `oifname != "${name}" ip saddr ${caller()} tcp dport { 80, 443, 1000-1002 } reject`,
      `iifname . oifname . ip saddr { "${name}" . "${behind}" . ${caller()} } udp dport 53 drop`,
      `meta mark ${marked} drop`,
    ]).slice(0, this.#number(0, 2));
    const nat = this.#shuffled([
      `tcp dport 8080 redirect to :2000`,
      `ip saddr ${caller()} tcp dport 80 redirect to :443`,
      `ip saddr ${caller()} tcp dport 1003 dnat to 203.0.113.88:80`,
      `ip daddr ${address} dnat to tcp dport map { 1000 : ${this.#around.privateAddress} }`,
    ]).slice(0, this.#number(0, 2));
    return [
      'table inet admin {',
      ` set listed { type ipv4_addr; flags interval; elements = { ${caller()}, 203.0.113.0/26 } }`,
      ` set pairs { type ipv4_addr . inet_service; elements = { ${caller()} . 80, 203.0.113.3 . 22 } }`,
      ` map decided { type ipv4_addr : verdict; elements = { ${caller()} : ${decision()}, 203.0.113.1 : drop } }`,
      ` chain extra {\n  ip saddr ${caller()} tcp dport 443 drop\n  udp dport 5060 reject\n  tcp dport 1002 accept\n }`,
      ` chain early {\n  type filter hook prerouting priority ${this.#pick([-310, -150, -20])}; policy accept;\n  ${early.filter((rule) => !rule.includes('notrack') && !rule.includes('ct mark')).join('\n  ')}\n }`,
      ` chain raw {\n  type filter hook prerouting priority -300; policy accept;\n  ${early.filter((rule) => rule.includes('notrack')).join('\n  ')}\n }`,
      ` chain later {\n  type filter hook prerouting priority -150; policy accept;\n  ${early.filter((rule) => rule.includes('ct mark')).join('\n  ')}\n }`,
      ` chain forward {\n  type filter hook forward priority 5; policy accept;\n  ${forward.join('\n  ')}\n }`,
      ` chain input {\n  type filter hook input priority ${this.#pick([-5, 0, 5, 20])}; policy accept;\n  ${rules.join('\n  ')}\n }`,
      '}',
      'table ip admin_nat {',
      ` chain prerouting {\n  type nat hook prerouting priority ${this.#pick(['-110', 'dstnat'])}; policy accept;\n  ${nat.join('\n  ')}\n }`,
      '}',
    ].join('\n');
  }
}

function sourceXml(source: string): string {
  return source.startsWith('ipset:') ? `<source ipset="${source.slice(6)}"/>` : `<source address="${source}"/>`;
}

/** A configuration that depends on the seed and the surroundings alone. */
export function randomConfig(seed: number, around: Surroundings): RandomConfig {
  return new Maker(seed, around).make();
}
