import { afterEach, describe, expect, it, vi } from 'vitest';
import { debianMirrors, MIRROR_VARIABLE, mirrorsOf, noMirrorHas, shownUrl } from '../../set-up/mirrors.ts';
import type { PackageSource } from '../../set-up/packages.ts';

const source = (uri: string, release: string, origin: string | null, label = origin): PackageSource => ({
  uri,
  release,
  origin,
  label,
});
const MIRRORS = 'http://one.example.net/debian\tpriority:1\n# two\nhttps://two.example.net/debian/\n\n';

describe('mirrors of Debian among package sources', () => {
  const cases: readonly [string, readonly PackageSource[], readonly string[]][] = [
    [
      'a mirror, its updates and its security archive',
      [
        source('http://mirror.example.net/debian', 'bookworm', 'Debian'),
        source('http://mirror.example.net/debian', 'bookworm-updates', 'Debian'),
        source('http://mirror.example.net/debian-security', 'bookworm-security', 'Debian', 'Debian-Security'),
      ],
      ['http://mirror.example.net/debian', 'http://mirror.example.net/debian-archive/debian'],
    ],
    [
      "other people's packages",
      [
        source('https://vendor.example.net/linux/debian', 'bookworm', 'Vendor'),
        source('https://user:pw@mirror.example.net/apt', 'trixie', 'Debian'),
      ],
      ['https://user:pw@mirror.example.net/apt'],
    ],
    ['Ubuntu', [source('http://mirror.example.net/ubuntu', 'noble', 'Ubuntu')], []],
    [
      'a list of mirrors, as cloud images have it',
      [source('mirror+file:/etc/apt/mirrors/debian.list', 'bookworm', 'Debian')],
      [
        'http://one.example.net/debian',
        'http://one.example.net/debian-archive/debian',
        'https://two.example.net/debian',
        'https://two.example.net/debian-archive/debian',
      ],
    ],
    [
      'lists that have not been fetched: nobody knows whose they are',
      [
        source('http://mirror.example.net/debian', 'bookworm', null),
        source('http://mirror.example.net/debian-security', 'bookworm-security', null),
        source('https://vendor.example.net/repo', './', null),
      ],
      ['http://mirror.example.net/debian', 'http://mirror.example.net/debian-archive/debian'],
    ],
    ['a disc', [source('cdrom:[Debian]', 'bookworm', 'Debian')], []],
  ];

  it.each(cases)('%s', async (_, sources, expected) => {
    expect(await mirrorsOf(sources, async (path) => (path === '/etc/apt/mirrors/debian.list' ? MIRRORS : ''))).toEqual(
      expected,
    );
  });
});

describe(MIRROR_VARIABLE, () => {
  afterEach(() => vi.unstubAllEnvs());

  it('comes before the package configuration, and may name several', async () => {
    vi.stubEnv(MIRROR_VARIABLE, ' http://a.example.net/debian  http://b.example.net/old ');
    expect(await debianMirrors()).toEqual({
      chosen: true,
      urls: ['http://a.example.net/debian', 'http://b.example.net/old'],
    });
  });

  it.each([
    [[], /^No Debian bullseye can be made: .*\(\/etc\/apt\) name no mirror of Debian\.\nHow to go on: /],
    [
      [['http://u:secret@mirror.example.net/debian', 'E: 404']],
      /^No mirror .*bullseye:\nhttp:\/\/mirror.example.net\/debian: E: 404\nHow to/,
    ],
  ] as const)('is what the advice names (%j)', (failures, text) => {
    const said = noMirrorHas('bullseye', failures);
    expect(said).toMatch(text);
    expect(said).toContain(`bullseye, with ${MIRROR_VARIABLE}=`);
    expect(said).not.toContain('secret');
  });

  it('is shown without a password', () => {
    expect(shownUrl('https://user:p%40w@mirror.example.net/debian')).toBe('https://mirror.example.net/debian');
  });
});
