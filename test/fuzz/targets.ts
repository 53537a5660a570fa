import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { formatAnsibleList, toAnsibleList } from '../../src/ansible/ansible-list.ts';
import { readInventoryFiles } from '../../src/ansible/inventory.ts';
import { matchLimit } from '../../src/ansible/patterns/patterns.ts';
import type { Problem } from '../../src/core/problem.ts';
import { assignPlays } from '../../src/matrix/assign.ts';
import { readMatrix } from '../../src/matrix/load-matrix.ts';
import { readPlaybook } from '../../src/matrix/load-playbook.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { parseCommonArgs } from '../../src/transport/ssh-config/common-args.ts';
import { lookUp } from '../../src/transport/ssh-config/ssh-config.ts';
import { SshConfigFiles } from '../../src/transport/ssh-config/ssh-config-files.ts';
import {
  decideHostKey,
  hostKeyAlgorithms,
  hostKeyNames,
  parseKnownHosts,
} from '../../src/transport/ssh2/known-hosts.ts';

/** One of portfw's parsers, with texts to begin with. */
export interface Target {
  readonly name: string;
  readonly corpus: readonly Buffer[];
  /**
   * Reads bytes as a user's file. What it returns has to be the same every time.
   *
   * @throws InputError, and nothing else, when they cannot be used
   */
  read(bytes: Buffer): Reading;
}

export interface Reading {
  readonly problems: readonly Problem[];
  /** What was made of the bytes, as text. */
  readonly result: string;
  /** The file that the bytes were in; `null` when problems have no place. */
  readonly file: string | null;
}

const ROOT = join(import.meta.dirname, '../..');
const INVENTORY =
  'all:\n  vars: { portfw_playbook: portaswitch }\n  children:\n    web: { hosts: { "web[1:4]": } }\n    db: { hosts: { db1: } }\n';

/** Every target. @param folder where files are written; nothing else is touched */
export function fuzzTargets(folder: string): readonly Target[] {
  mkdirSync(join(folder, 'site/group_vars'), { recursive: true });
  const site = join(folder, 'site/inventory.yaml');
  writeFileSync(site, INVENTORY);
  const whole = readInventoryFiles(site);
  const file = (name: string, corpus: readonly Buffer[], read: (path: string) => Omit<Reading, 'file'>): Target => ({
    name,
    corpus,
    read: (bytes) => {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      return { ...read(path), file: path };
    },
  });
  const inventories = corpus(
    ['test/fixtures/inventory', 'inventories', 'test/fixtures/bad-input'],
    ['.yaml', '.yml', '.json'],
  );
  const ini = corpus(['test/fixtures/inventory', 'test/fixtures/bad-input', 'test/fuzz/corpus'], ['.ini', '']);
  return [
    file('inventory.yaml', inventories, readInventory),
    file('inventory.ini', ini, readInventory),
    file(
      'site/group_vars/all.yaml',
      corpus(['test/fixtures/bad-input', 'inventories', 'test/fuzz/corpus'], ['.yaml', '.yml', '.vars']),
      () => readInventory(site),
    ),
    file(
      'playbook.yaml',
      corpus(['test/fixtures/matrix', 'test/fixtures/bad-input', 'playbooks'], ['.yaml']),
      (path) => {
        // Paths within it are for the next target; a matrix that is named by mistake has no place in this file.
        const { playbook, problems } = readPlaybook(path);
        return { problems, result: playbook?.plays.map((play) => play.hosts).join() ?? '' };
      },
    ),
    file(
      'matrix.yaml',
      corpus(['test/fixtures/matrix', 'test/fixtures/bad-input', 'playbooks/matrices'], ['.yaml']),
      (path) => {
        const { matrix, problems } = readMatrix(path);
        return { problems, result: matrix === null ? '' : [...matrix.roles.keys()].join() };
      },
    ),
    file('limit', corpus(['test/fixtures/bad-input', 'test/fuzz/corpus'], ['.txt', '.limit']), (path) => {
      const { hosts, problems } = matchLimit(whole, `@${path}`);
      return { problems, result: hosts.join() };
    }),
    {
      name: 'patterns',
      corpus: corpus(['test/fuzz/corpus'], ['.limit']),
      read: (bytes) => {
        // An "@" would name a file, which is the target above.
        const { hosts, problems } = matchLimit(whole, bytes.toString('utf8').replaceAll('@', '.').slice(0, 5_000));
        return { problems, result: hosts.join(), file: null };
      },
    },
    file('ssh_config', corpus(['test/fixtures/transport', 'test/fuzz/corpus'], ['.config', '', '.conf']), (path) => {
      const files = new SshConfigFiles({ home: join(folder, 'site'), file: path });
      const environment = {
        home: join(folder, 'site'),
        localUser: 'ops',
        uid: 1000,
        hostName: 'control.example.net',
        variable: () => undefined,
        localAddresses: () => ['192.0.2.1'],
      };
      const found = lookUp({ originalHost: 'web1.example.net', given: [], files, ownFile: null, environment });
      return { problems: found.problems, result: found.host };
    }),
    file('known_hosts', corpus(['test/fixtures/transport', 'test/fuzz/corpus'], ['', '.known']), (path) => {
      const known = parseKnownHosts(readFileSync(path, 'utf8'), path);
      const names = hostKeyNames('192.0.2.11', 2222, 'web1.example.net', null);
      const decision = decideHostKey(known, names, Buffer.from('0000000b7373682d6564323535313900000000', 'hex'));
      return { problems: [], result: JSON.stringify([decision, hostKeyAlgorithms(known, names)]) };
    }),
    {
      name: 'ansible_ssh_common_args',
      corpus: corpus(['test/fuzz/corpus'], ['.args']),
      read: (bytes) => {
        const parsed = parseCommonArgs(bytes.toString('utf8'), null, '/home/ops');
        return { problems: parsed.problems, result: JSON.stringify(parsed.settings), file: null };
      },
    },
  ];
}

function readInventory(path: string): Omit<Reading, 'file'> {
  const inventory = readInventoryFiles(path);
  const { settings, partial, problems } = readSettings(inventory);
  const assignment = assignPlays(inventory, new Map([...settings, ...partial]), 'portaswitch');
  const list =
    inventory.hosts.size > 2_000 ? String(inventory.hosts.size) : formatAnsibleList(toAnsibleList(inventory));
  return { problems: [...inventory.warnings, ...problems, ...assignment.problems], result: list };
}

/** All files below some folders whose name ends so. */
function corpus(folders: readonly string[], endings: readonly string[]): readonly Buffer[] {
  const found: Buffer[] = [];
  const walk = (folder: string): void => {
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      const status = statSync(path);
      if (status.isDirectory()) walk(path);
      else if (endings.includes(extname(name)) && status.size < 100_000 && !/^(?:expected|command|recipe)\./.test(name))
        found.push(readFileSync(path));
    }
  };
  for (const folder of folders) walk(join(ROOT, folder));
  if (found.length === 0) throw new Error(`no ${endings.join()} file is below ${folders.join()}`);
  return found;
}
