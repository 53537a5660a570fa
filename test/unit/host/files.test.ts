import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const HOST = path.join(import.meta.dirname, '../../../src/host/remote');

let etc: string;

beforeEach(() => {
  etc = realpathSync(mkdtempSync(path.join(tmpdir(), 'portfw-files-')));
  mkdirSync(path.join(etc, 'zones'));
});
afterEach(() => rmSync(etc, { recursive: true, force: true }));

/** Runs statements with the files of the program that it needs, on a folder that stands for /etc/firewalld, in the poorest locale. */
function python(statements: string, given: unknown = null): unknown {
  const files = ['observe.py', 'kinds.py', 'files.py', 'runs.py', 'generations.py', 'released.py', 'candidates.py'];
  const text = files.map((name) => readFileSync(path.join(HOST, name), 'utf8'));
  const program = `${text.join('\n\n')}
ETC = sys.argv[1]
given = json.load(sys.stdin)
def out(value):
    sys.stdout.write(json.dumps(value))
${statements}
`;
  return JSON.parse(
    execFileSync('python3', ['-c', program, etc], {
      input: JSON.stringify(given),
      encoding: 'utf8',
      // As Python 3.6 takes it, where no file name is more than ASCII.
      env: { PATH: process.env['PATH'], LC_ALL: 'C', PYTHONCOERCECLOCALE: '0', PYTHONUTF8: '0' },
      timeout: 20_000,
      maxBuffer: 64 * 1024 * 1024,
    }),
  );
}

interface Item {
  readonly path: string;
  readonly text: string;
  readonly sha256: string;
  readonly link?: string;
  readonly unreadable?: string;
  readonly folder?: boolean;
}

/** The files as the facts have them, by path. */
function files(): Readonly<Record<string, Item>> {
  const items = python('out(shown({"files": permanent_files()})["files"])') as Item[];
  return Object.fromEntries(items.map((item) => [item.path, item]));
}

function put(name: string, content: string | Buffer): void {
  const file = path.join(etc, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
}

const shell = (script: string) => execFileSync('sh', ['-ec', script], { cwd: etc, env: { PATH: process.env['PATH'] } });

describe('the files below /etc/firewalld', () => {
  it('are found behind links, and each is what its link leads to', () => {
    put('elsewhere/edge.xml', '<zone/>');
    put('elsewhere/far/x.xml', '<zone/>');
    symlinkSync('../elsewhere/edge.xml', path.join(etc, 'zones/edge.xml'));
    symlinkSync('../elsewhere/far', path.join(etc, 'zones/far'));
    symlinkSync('elsewhere/far', path.join(etc, 'nobody-reads-this'));
    const found = files();
    expect(found['zones/edge.xml']).toMatchObject({ text: '<zone/>', link: '../elsewhere/edge.xml' });
    expect(found['zones/far/x.xml']).toMatchObject({ text: '<zone/>' });
    expect(Object.keys(found).filter((name) => name.startsWith('nobody'))).toEqual([]);
  });

  it('are never waited for, and lead nowhere for ever', () => {
    shell('mkfifo zones/pipe.xml zones/pipe; ln -s . zones/loop; ln -s self.xml zones/self.xml');
    shell('ln -s /dev/zero zones/zero.xml; ln -s nowhere zones/gone.xml; mkdir zones/folder.xml');
    const reasons = Object.fromEntries(Object.values(files()).map((item) => [item.path, item.unreadable]));
    expect(reasons).toEqual({
      'zones/pipe.xml': expect.stringMatching(/FIFO/),
      'zones/loop': expect.stringMatching(/a folder that contains it/),
      'zones/self.xml': expect.stringMatching(/symbolic links/),
      'zones/zero.xml': 'it is a device',
      'zones/gone.xml': 'it is a link to nowhere, which does not exist',
      'zones/folder.xml': 'it is a folder',
    });
  });

  it('tell nothing of what a link leads to when firewalld would not take it', () => {
    put('elsewhere/secret', 'root:secret:1');
    put('elsewhere/other.xml', '<users><password>secret</password></users>');
    put('elsewhere/conf', 'PASSWORD=secret\nDefaultZone=public\n');
    symlinkSync('../elsewhere/secret', path.join(etc, 'zones/a.xml'));
    symlinkSync('../elsewhere/other.xml', path.join(etc, 'zones/b.xml'));
    symlinkSync('elsewhere/conf', path.join(etc, 'firewalld.conf'));
    const found = files();
    const nothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    expect(found['zones/a.xml']).toMatchObject({
      text: '',
      sha256: nothing,
      unreadable: expect.stringMatching(/not XML/),
    });
    expect(found['zones/b.xml']).toMatchObject({
      text: '',
      sha256: nothing,
      unreadable: 'its element is <users>, not <zone>',
    });
    expect(found['firewalld.conf']!.text).toBe('DefaultZone=public');
  });

  it('have names that are shown as text and hashed as they are, in every locale', () => {
    shell(
      "printf x >\"$(printf 'zones/b\\374ro.bak')\"; printf '<zone/>' >'zones/büro.xml'; printf x >\"$(printf 'zones/a\\nb')\"",
    );
    expect(Object.keys(files()).sort()).toEqual(['zones/a\\x0ab', 'zones/b\\xfcro.bak', 'zones/büro.xml']);
    expect(python('out(len(file_hash(permanent_files())))')).toBe(64);
    expect(
      python(
        'out([os.path.exists(target_of("zones/b\\u00fcro.xml")), describe(target_of("zones/b\\u00fcro.xml"))["path"]])',
      ),
    ).toEqual([true, 'zones/büro.xml']);
  });

  it('are read whole up to 8 MiB, and larger ones are named as what they are', () => {
    const long = (size: number) => `<zone><description>${'x'.repeat(size)}</description></zone>`;
    put('zones/long.xml', long(8_000_000));
    put('zones/longer.xml', long(9_000_000));
    put('zones/big.bin', Buffer.alloc(9_000_000));
    const found = files();
    expect(found['zones/long.xml']!.text).toHaveLength(long(8_000_000).length);
    expect(found['zones/longer.xml']).toMatchObject({
      text: '',
      unreadable: 'it is larger than 8 MiB, which portfw does not read',
    });
    expect(found['zones/big.bin']).toMatchObject({ text: '' });
    expect(found['zones/big.bin']!.unreadable).toBeUndefined();
  });

  it('name a folder of zones that no zone can be called like', () => {
    mkdirSync(path.join(etc, 'zones/250610.backup'));
    mkdirSync(path.join(etc, 'zones/good'));
    mkdirSync(path.join(etc, 'services/also.dotted'), { recursive: true });
    expect(Object.values(files()).map((item) => [item.path, item.folder])).toEqual([['zones/250610.backup', true]]);
  });
});

describe("a file's content, as firewalld's parser has it", () => {
  const readable = (content: Buffer, element = 'zone') =>
    python(
      `try:
    out(readable(base64.b64decode(given[0]), given[1]))
except ValueError as error:
    out("refused: %s" % error)`,
      [content.toString('base64'), element],
    ) as string;
  const declared = (encoding: string) =>
    `<?xml version="1.0" encoding="${encoding}"?><zone><short>Bür"o &amp; €</short></zone>`;
  const told = '<zone><short>Bür&#34;o &#38; €</short></zone>';
  const utf16 = (text: string, swapped = false) => {
    const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
    return swapped ? bytes.swap16() : bytes;
  };

  it.each([
    ['UTF-8', Buffer.from(declared('utf-8')), declared('utf-8')],
    ['UTF-8 with a BOM', Buffer.from(`\ufeff${declared('UTF-8')}`), told],
    ['UTF-16, little end first', utf16(declared('utf-16')), told],
    ['UTF-16, big end first', utf16(declared('utf-16'), true), told],
    ['ISO-8859-1', Buffer.from(declared('iso-8859-1').replace('€', '¤'), 'latin1'), told.replace('€', '¤')],
    ['Windows-1252', Buffer.from(declared('windows-1252').replace('€', '\x80'), 'latin1'), told],
    ['a DOCTYPE', Buffer.from('<!DOCTYPE zone SYSTEM "zone.dtd"><zone/>'), '<zone></zone>'],
    [
      'an entity, and an attribute that is declared',
      Buffer.from(
        '<!DOCTYPE zone [<!ENTITY p "22"><!ATTLIST zone target CDATA "DROP">]><zone><port port="&p;"/></zone>',
      ),
      '<zone target="DROP"><port port="22"></port></zone>',
    ],
    [
      'what was never an element',
      Buffer.from('<!DOCTYPE zone><zone><!-- <a/> --><![CDATA[<b/>]]></zone>'),
      '<zone>&#60;b/&#62;</zone>',
    ],
  ])('%s', (_, content, expected) => {
    expect(readable(content)).toBe(expected);
  });

  it.each([
    [
      'entities within entities',
      '<!DOCTYPE zone [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><zone/>',
      /declares the entity 'b'/,
    ],
    [
      'an entity of another file',
      '<!DOCTYPE zone [<!ENTITY a SYSTEM "/etc/shadow">]><zone>&a;</zone>',
      /declares the entity 'a'/,
    ],
    [
      'an entity of a declaration',
      '<!DOCTYPE zone [<!ENTITY % a "<!ENTITY b \'c\'>">]><zone/>',
      /declares the entity 'a'/,
    ],
    [
      'a long entity, many times',
      `<!DOCTYPE zone [<!ENTITY a "${'a'.repeat(10_000)}">]><zone>${'&a;'.repeat(10_000)}</zone>`,
      /larger than 8 MiB/,
    ],
    ['an encoding that it does not have', '<?xml version="1.0" encoding="utf-32"?><zone/>', /multi-byte/],
    ['bytes of another encoding', Buffer.from('<zone>\xfc</zone>', 'latin1'), /not XML: not well-formed/],
    ['another element', '<service/>', /its element is <service>, not <zone>/],
    ['nothing', '', /not XML: no element found/],
  ])('is refused with %s', (_, content, why) => {
    expect(readable(Buffer.from(content as string))).toMatch(why);
  });
});

describe('a file that is written', () => {
  it('stays a link, and what it leads to is replaced with its mode', () => {
    put('elsewhere/edge.xml', 'old');
    symlinkSync('../elsewhere/edge.xml', path.join(etc, 'zones/edge.xml'));
    python('write_file(target_of("zones/edge.xml"), b"new", 0o640); out(None)');
    expect(
      shell(
        'readlink zones/edge.xml; cat elsewhere/edge.xml; stat -c " %a" elsewhere/edge.xml; ls -A elsewhere',
      ).toString(),
    ).toBe('../elsewhere/edge.xml\nnew 640\nedge.xml\n');
  });

  it('is written where it is when nothing can take its place', () => {
    put('zones/edge.xml', 'longer than the new one');
    python(`
def busy(source, target):
    raise OSError(errno.EBUSY, "Device or resource busy", target)
before = os.stat(target_of("zones/edge.xml")).st_ino
os.rename = busy
write_file(target_of("zones/edge.xml"), b"new", 0o600)
out(os.stat(target_of("zones/edge.xml")).st_ino == before or sys.exit("another file"))`);
    expect(shell('cat zones/edge.xml; stat -c " %a" zones/edge.xml; ls -A zones').toString()).toBe(
      'new 600\nedge.xml\n',
    );
  });

  it('leaves nothing where a link leads to when it was cut off, and others their files', () => {
    put('elsewhere/edge.xml', 'x');
    put('elsewhere/.portfw-17-0123456789ab', 'cut off');
    put('elsewhere/.portfw-mine', 'somebody else');
    symlinkSync('../elsewhere/edge.xml', path.join(etc, 'zones/edge.xml'));
    python('remove_old_copies(); out(None)');
    expect(shell('ls -A elsewhere').toString()).toBe('.portfw-mine\nedge.xml\n');
  });
});

describe('a copy of the configuration, which a rehearsal loads', () => {
  const copied = () => {
    const target = mkdtempSync(path.join(tmpdir(), 'portfw-copy-'));
    try {
      return python(
        'copy_configuration(given); out(sorted(os.path.relpath(os.path.join(d, n), given) for d, _, names in os.walk(given) for n in names))',
        target,
      );
    } finally {
      rmSync(target, { recursive: true, force: true });
    }
  };

  it('has what a linked folder beside it has, whichever comes first, and nothing that firewalld does not read', () => {
    rmSync(path.join(etc, 'zones'), { recursive: true });
    put('backup.tar', 'much');
    put('firewalld.conf', '');
    for (const name of ['a-zones', 'zz-zones']) {
      put(`${name}/public.xml`, '<zone/>');
      symlinkSync(name, path.join(etc, 'zones'));
      expect(copied()).toEqual(['firewalld.conf', 'zones/public.xml']);
      rmSync(path.join(etc, 'zones'));
    }
  });

  it('ends where links lead in circles', () => {
    put('zones/edge.xml', '<zone/>');
    for (const name of ['one', 'two', 'three']) symlinkSync('.', path.join(etc, 'zones', name));
    expect(copied()).toEqual(['zones/edge.xml']);
  });
});
