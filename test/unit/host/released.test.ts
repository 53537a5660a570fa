import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withoutInterface } from '../../../src/firewalld/without-interface.ts';

const HOST = path.join(import.meta.dirname, '../../../src/host/remote');

/** Evaluates an expression with the files of the program that it needs; texts travel as Latin-1 would have their bytes. */
function python(expression: string, given: unknown): unknown {
  const text = ['observe.py', 'kinds.py', 'files.py', 'runs.py', 'generations.py', 'released.py'].map((name) =>
    readFileSync(path.join(HOST, name), 'utf8'),
  );
  const program = `${text.join('\n\n')}
def attempt(function, *arguments):
    try:
        return function(*arguments)
    except ValueError as error:
        return "refused: %s" % error
def out(value):
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
def bytes_of(text):
    return text.encode("utf-8", "surrogateescape")
given = json.load(sys.stdin)
json.dump(${expression}, sys.stdout)
`;
  return JSON.parse(execFileSync('python3', ['-c', program], { input: JSON.stringify(given), encoding: 'utf8' }));
}

const without = (given: readonly (readonly [text: string, name: string])[]) =>
  python('[out(without_interface(bytes_of(text), name)) for text, name in given]', given);
const released = (text: string, ...names: readonly string[]) =>
  python('out(attempt(released, bytes_of(given[0]), given[1]))', [text, names]) as string;

/** Pieces of which zone files are made, good ones and others. */
const piece = fc.constantFrom(
  '<interface name="eth0"/>',
  "<interface name='eth0'/>",
  '<interface  name = "eth0" />',
  '<interface\n  name="eth0"\n/>',
  '<interface name="eth0"></interface>',
  '<interface name="eth0" > </interface >',
  '<interface name="eth0" zone="x"/>',
  '<interface zone="x" name="eth0"/>',
  '<interface name="eth&#48;"/>',
  '<interface name="eth0.7"/>',
  '<interface name="eth0x7"/>',
  '<interface name="br+0"/>',
  '<source address="192.0.2.0/24"/>',
  '<short>Büro ☎</short>',
  '<!-- <interface name="eth0"/> -->',
  '<![CDATA[<interface name="eth0"/>]]>',
  '<!--',
  '-->',
  '\n',
  '\r\n',
  '\t',
  '  ',
  '\u00a0',
);
const file = fc
  .tuple(fc.constantFrom('', '\ufeff', '<?xml version="1.0" encoding="utf-8"?>\n'), fc.array(piece, { maxLength: 12 }))
  .map(([head, pieces]) => `${head}<zone>${pieces.join('')}</zone>\n`);

describe('an interface that leaves a foreign zone file', () => {
  it('is taken out in the same way here and on a host', () => {
    const cases = fc.sample(fc.tuple(file, fc.constantFrom('eth0', 'eth0.7', 'br+0', 'eth9')), {
      numRuns: 3000,
      seed: 5,
    });
    const expected = cases.map(([text, name]) => withoutInterface(text, name));
    expect(expected.filter((text) => text !== null).length).toBeGreaterThan(500);
    expect(without(cases)).toEqual(expected);
  });

  it.each([
    [
      'its line',
      '<zone>\n  <interface name="eth0"/>\n  <short>x</short>\n</zone>\n',
      '<zone>\n  <short>x</short>\n</zone>\n',
    ],
    ['with Windows line ends', '<zone>\r\n\t<interface name="eth0"/>\r\n</zone>\r\n', '<zone>\r\n</zone>\r\n'],
    ['behind a byte order mark', '\ufeff<zone><interface name="eth0"/></zone>', '\ufeff<zone></zone>'],
    ['twice', '<zone><interface name="eth0"/><interface name="eth0"/></zone>', '<zone></zone>'],
    [
      'beside a comment',
      '<zone><!-- <interface name="eth0"/> --><interface name="eth0"/></zone>',
      '<zone><!-- <interface name="eth0"/> --></zone>',
    ],
    [
      'in another encoding',
      '<?xml version="1.0" encoding="ISO-8859-1"?><zone><short>B\udcfcro</short><interface name="eth0"/></zone>',
      '<?xml version="1.0" encoding="ISO-8859-1"?><zone><short>B\udcfcro</short></zone>',
    ],
    ['where it is not', '<zone><interface name="eth1"/></zone>', '<zone><interface name="eth1"/></zone>'],
  ])('goes, and every other byte stays: %s', (_what, given, wanted) => {
    expect(released(given, 'eth0')).toBe(wanted);
  });

  it('takes others of the plan along', () => {
    expect(released('<zone><interface name="a"/><interface name="b"/><interface name="c"/></zone>', 'a', 'c')).toBe(
      '<zone><interface name="b"/></zone>',
    );
  });

  it.each([
    [
      'something else would go with it',
      '<zone><description><![CDATA[<interface name="eth0"/>]]></description><interface name="eth0"/></zone>',
    ],
    ['it would stay', '<zone><interface name="eth&#48;"/></zone>'],
    ['it stands in a form that nobody expects', '<zone><interface name="eth0" zone="x"/></zone>'],
    ['the file cannot be read', '<zone><interface name="eth0"/>'],
  ])('is left where it is where %s', (_what, given) => {
    expect(released(given, 'eth0')).toMatch(/^refused: /);
  });
});

describe('the file of a zone that is not ours, in a rollback', () => {
  const zoneFile = (...lines: readonly string[]) => `<zone>\n${lines.map((line) => `  ${line}\n`).join('')}</zone>\n`;
  const ETH0 = '<interface name="eth0"/>';
  const OURS = ['zones/portfw-public.xml', zoneFile(ETH0)] as const;
  /** The text of `zones/office.xml` afterwards, or null where it is not there. */
  const rolledBack = (saved: Record<string, string>, present: Record<string, string>, foreign = ['zones/office.xml']) =>
    python(
      `(lambda files: next((base64.b64decode(item["content"]).decode() for item in files if item["path"] == "zones/office.xml"), None))(for_rollback(
        [{"path": path, "content": base64.b64encode(text.encode()).decode(), "mode": "0644", "owner": "0:0", "sha256": "", "context": None} for path, text in given[0].items()],
        [{"path": path, "bytes": text.encode(), "mode": "0600", "owner": "7:7"} for path, text in given[1].items()],
        given[2],
    ))`,
      [saved, present, foreign],
    );
  const office = (text: string) => ({ 'zones/office.xml': text });

  it('is the saved one, to the byte, if it is unchanged since', () => {
    const saved = '<zone><!-- mine -->\r\n<interface name="eth0"/><service name="ssh"/></zone>';
    const present = '<zone><!-- mine -->\r\n<service name="ssh"/></zone>';
    expect(rolledBack(office(saved), { ...office(present), [OURS[0]]: OURS[1] })).toBe(saved);
  });

  it('keeps what its owner has closed since, and gets back its interface alone', () => {
    const present = zoneFile('<service name="https"/>');
    const now = rolledBack(office(zoneFile(ETH0, '<service name="telnet"/>')), {
      ...office(present),
      [OURS[0]]: OURS[1],
    });
    expect(now).toBe(zoneFile('<service name="https"/>', ETH0));
  });

  it('keeps comments and the order that its owner has written since', () => {
    const present = zoneFile('<!-- ask Ann before you open more -->', '<service name="ssh"/>');
    const now = rolledBack(office(zoneFile(ETH0, '<!-- old -->', '<service name="ssh"/>')), {
      ...office(present),
      [OURS[0]]: OURS[1],
    });
    expect(now).toBe(zoneFile('<!-- ask Ann before you open more -->', '<service name="ssh"/>', ETH0));
  });

  it('gives up an interface that was in a zone of ours then', () => {
    const saved = { ...office(zoneFile('<service name="ssh"/>')), [OURS[0]]: OURS[1] };
    expect(rolledBack(saved, office(zoneFile(ETH0, '<service name="https"/>')))).toBe(
      zoneFile('<service name="https"/>'),
    );
  });

  it('does not get an interface that its owner has given to another zone', () => {
    const present = { ...office(zoneFile()), 'zones/dmz.xml': zoneFile(ETH0) };
    expect(rolledBack(office(zoneFile(ETH0)), present)).toBe(zoneFile());
  });

  it.each([
    ['that its owner has deleted stays deleted', office(zoneFile(ETH0)), {}, null],
    ['that its owner has made since stays', {}, office(zoneFile('<forward/>')), zoneFile('<forward/>')],
    ['that nobody can read stays', office(zoneFile(ETH0)), office('<zone'), '<zone'],
  ])('%s', (_what, saved, present, wanted) => {
    expect(rolledBack(saved as Record<string, string>, present as Record<string, string>)).toBe(wanted);
  });
});

describe('a zone file in another encoding', () => {
  const taken = (content: Buffer, ...names: readonly string[]) =>
    python(
      '(lambda new: new if isinstance(new, str) else base64.b64encode(new).decode())(attempt(released, base64.b64decode(given[0]), given[1]))',
      [content.toString('base64'), names],
    ) as string;
  const zone = (line: string) =>
    `<?xml version="1.0" encoding="ENCODING"?>\r\n<zone>\r\n  <short>B\u00fcro \u4120</short>\r\n${line}</zone>\r\n`;
  const LINE = '  <interface name="eth0"/>\r\n';
  const encoded: Readonly<Record<string, (text: string) => Buffer>> = {
    'utf-16': (text) => Buffer.from(`\ufeff${text}`, 'utf16le'),
    'UTF-16': (text) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16(),
    'iso-8859-1': (text) => Buffer.from(text.replace(' \u4120', ''), 'latin1'),
    'utf-8': (text) => Buffer.from(`\ufeff${text}`),
  };

  it.each(Object.keys(encoded))('keeps every other byte: %s', (encoding) => {
    const bytes = (line: string) => encoded[encoding]!(zone(line).replace('ENCODING', encoding));
    expect(Buffer.from(taken(bytes(LINE), 'eth0'), 'base64').equals(bytes(''))).toBe(true);
  });

  it('is left alone where an entity names the interface', () => {
    const text = '<!DOCTYPE zone [<!ENTITY i "eth0">]><zone><interface name="&i;"/></zone>';
    expect(taken(Buffer.from(text), 'eth0')).toBe(
      'refused: interfaces cannot be removed from it without other changes',
    );
  });

  it('is left alone where its entities could expand without bounds', () => {
    const text = '<!DOCTYPE zone [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><zone><interface name="eth0"/></zone>';
    expect(taken(Buffer.from(text), 'eth0')).toMatch(/^refused: it declares the entity/);
  });
});
