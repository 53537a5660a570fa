import path from 'node:path';
import { expect, it } from 'vitest';
import { loadMatrix } from '../../../src/matrix/load-matrix.ts';
import type { Detector, Matrix } from '../../../src/matrix/matrix.ts';
import { probeInput } from '../../../src/roles/wanted.ts';

const example = loadMatrix(path.join(import.meta.dirname, '../../fixtures/roles/example.yaml'));

function withDetectors(detectors: readonly Detector[]): Matrix {
  const roles = [...example.roles].map(([name, role]) => [name, { ...role, detectors }] as const);
  return { ...example, roles: new Map(roles) };
}

it('asks once for every package and file of all matrices, sorted', () => {
  expect(probeInput([example, example])).toBe('file /etc/proxy.conf\npackage billing-server\npackage media-relay\n');
});

it('asks for nothing when no detector needs it', () => {
  expect(probeInput([withDetectors([{ kind: 'process', names: ['a'], weight: 0.5 }])])).toBe('');
});

it.each(['--eval=x', 'a b', 'a\npackage b', '', '*', '$(reboot)'])('never asks for the package %j', (name) => {
  expect(probeInput([withDetectors([{ kind: 'package', package: name, weight: 0.5 }])])).toBe('');
});

it.each(['relative', '/a\nfile /b', '/a\u0000b', ''])('never asks for the file %j', (file) => {
  expect(probeInput([withDetectors([{ kind: 'file', path: file, weight: 0.5 }])])).toBe('');
});
