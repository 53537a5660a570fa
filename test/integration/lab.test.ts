import { readFile } from 'node:fs/promises';
import { Client } from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabHost } from '../lab/host.ts';
import { type Lab, startLab } from '../lab/lab.ts';

const VERSIONS = { bullseye: '0.9.3', bookworm: '1.3.3', trixie: '2.3.1' } as const;
const SUITES = Object.keys(VERSIONS) as (keyof typeof VERSIONS)[];

let lab: Lab;

beforeAll(async () => {
  lab = await startLab({
    name: 'self',
    scanner: true,
    hosts: SUITES.map((suite) => ({ name: suite, suite, daemons: ['gcems', 'decoy'] })),
  });
});

afterAll(async () => {
  await lab?.stop();
});

/** Logs in with the lab's key, accepting only the host key that known_hosts has, and runs one command. */
async function overSsh(address: string, username: string, command: string): Promise<string> {
  const privateKey = await readFile(lab.privateKeyFile);
  const known = (await readFile(lab.knownHostsFile, 'utf8'))
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([names]) => names?.split(',').includes(address))
    .map(([, , key]) => key);
  return new Promise((resolve, reject) => {
    const client = new Client();
    client.on('error', reject);
    client.on('ready', () => {
      client.exec(command, (error, channel) => {
        if (error !== undefined) return reject(error);
        let output = '';
        channel.on('data', (chunk: Buffer) => {
          output += chunk.toString('utf8');
        });
        channel.on('close', () => {
          client.end();
          resolve(output.trim());
        });
      });
    });
    client.connect({
      host: address,
      username,
      privateKey,
      hostVerifier: (key: Buffer) => known.includes(key.toString('base64')),
    });
  });
}

async function listeners(host: LabHost): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const line of (await host.run('ss', '-H', '-l', '-n', '-t', '-u', '-p')).split('\n')) {
    const [protocol, , , , local, , users] = line.trim().split(/\s+/);
    const comm = users?.match(/^users:\(\("([^"]+)"/)?.[1];
    if (comm !== undefined) found.set(`${protocol}/${local?.slice(local.lastIndexOf(':') + 1)}`, comm);
  }
  return found;
}

describe.each(SUITES)('a %s host of the lab', (suite) => {
  it('runs the firewalld of its release', async () => {
    const host = lab.host(suite);
    expect((await host.run('firewall-cmd', '--state')).trim()).toBe('running');
    expect((await host.run('firewall-cmd', '--version')).trim()).toBe(VERSIONS[suite]);
  });

  it.each(['root', 'admin', 'operator', 'nosudo'])(
    'lets %s in with the key, under the host keys given',
    async (user) => {
      const host = lab.host(suite);
      expect(await overSsh(host.publicAddress, user, 'whoami')).toBe(user);
      expect(await overSsh(host.privateAddress, user, 'hostname')).toBe(suite);
    },
  );

  it('gives sudo with a password, without one, and not at all', async () => {
    const { publicAddress } = lab.host(suite);
    const withPassword = `echo ${lab.sudoPassword} | sudo -S -p '' id -un 2>/dev/null; echo $?`;
    expect(await overSsh(publicAddress, 'admin', withPassword)).toBe('root\n0');
    expect(await overSsh(publicAddress, 'admin', 'sudo -n true 2>/dev/null; echo $?')).toBe('1');
    expect(await overSsh(publicAddress, 'operator', 'sudo -n id -un')).toBe('root');
    expect(await overSsh(publicAddress, 'nosudo', withPassword)).toBe('1');
  });

  it('shows the daemons under their own names on their sockets', async () => {
    const found = await listeners(lab.host(suite));
    expect(Object.fromEntries(found)).toMatchObject({
      'tcp/12610': 'gcems',
      'tcp/2624': 'DataManager',
      'tcp/5901': 'Xvnc',
      'udp/1812': 'radiusd',
      'udp/9999': 'decoyd',
      'tcp/9999': 'decoyd',
    });
    expect([...found.values()]).toContain('rpc.mountd');
  });

  it('has mountd at the real portmapper, on the port that it listens on', async () => {
    const host = lab.host(suite);
    const registered = (await host.run('rpcinfo', '-p')).match(/100005\s+3\s+udp\s+(\d+)/)?.[1];
    expect((await listeners(host)).get(`udp/${registered}`)).toBe('rpc.mountd');
  });

  it('finds its interfaces by address', async () => {
    const host = lab.host(suite);
    for (const [side, address] of [
      ['public', host.publicAddress],
      ['private', host.privateAddress],
    ] as const) {
      expect(await host.run('ip', '-o', 'address', 'show', 'dev', host.interfaces[side] ?? '')).toContain(
        `${address}/`,
      );
    }
  });

  it('comes back with its daemons after the power was cut', async () => {
    const host = lab.host(suite);
    await host.powerOff();
    await host.powerOn();
    expect((await host.run('firewall-cmd', '--state')).trim()).toBe('running');
    expect((await listeners(host)).get('tcp/12610')).toBe('gcems');
    expect(await overSsh(host.publicAddress, 'root', 'hostname')).toBe(suite);
  });
});

/** What the network, the scanner and the kernel do is the same for all; one host shows it. */
describe('a host of the lab', () => {
  it('shows a scan of its public zone nothing but SSH, over IPv4 and IPv6', async () => {
    const { addresses } = lab.host('bookworm');
    const udp = '69,111,161,1812,5060,9999';
    for (const address of [addresses.public?.v4, addresses.public?.v6]) {
      if (address === undefined || address === null) continue;
      const seen = await lab.scanner.scan(address, { udp });
      expect([...seen.open]).toEqual(['tcp/22']);
      expect([...seen.closed]).toEqual([]);
      expect(seen.filtered.size).toBe(65_534 + 6);
    }
  });

  it('shows a scan exactly the ports that firewalld opens', async () => {
    const host = lab.host('bookworm');
    const opened = ['1000-1100/tcp', '9999/tcp', '9999/udp', '40000-40050/udp'];
    await host.listenOn([
      { protocol: 'tcp', from: 1, to: 65_535 },
      { protocol: 'udp', from: 40_000, to: 41_000 },
    ]);
    await host.run('firewall-cmd', '--quiet', ...opened.map((port) => `--add-port=${port}`));
    const seen = await lab.scanner.scan(host.publicAddress, { udp: '9999,40000-41000' });
    const expected = new Set(['tcp/22', 'tcp/9999', 'udp/9999']);
    for (let port = 1000; port <= 1100; port++) expected.add(`tcp/${port}`);
    for (let port = 40_000; port <= 40_050; port++) expected.add(`udp/${port}`);
    expect(seen.open).toEqual(expected);
    expect([...seen.closed]).toEqual([]);
    await host.listenOn([]);
    await host.run('firewall-cmd', '--quiet', ...opened.map((port) => `--remove-port=${port}`));
  });

  it('passes FTP data connections with the conntrack helper only', async () => {
    const host = lab.host('bookworm');
    const list = () =>
      lab.scanner.exec(['curl', '-sS', '-m', '5', '--disable-epsv', `ftp://u:p@${host.publicAddress}/`]);
    await host.run('firewall-cmd', '--quiet', '--add-port=21/tcp');
    expect((await list()).exitCode).not.toBe(0);
    await host.run('firewall-cmd', '--quiet', '--remove-port=21/tcp');
    await host.run('firewall-cmd', '--quiet', '--add-service=ftp');
    expect(await list()).toMatchObject({ exitCode: 0, stdout: 'portfw lab\n' });
    await host.run('firewall-cmd', '--quiet', '--remove-service=ftp');
  });

  it('answers on a floating address only while it holds it', async () => {
    const host = lab.host('bookworm');
    const { v4 } = lab.vip(0);
    await host.addAddress('public', v4);
    expect([...(await lab.scanner.scan(v4, { tcp: '22,9999' })).open]).toEqual(['tcp/22']);
    await host.removeAddress('public', v4);
    expect([...(await lab.scanner.scan(v4, { tcp: '22,9999' })).open]).toEqual([]);
  });
});
