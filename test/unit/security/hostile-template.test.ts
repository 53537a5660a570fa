import { describe, expect, it } from 'vitest';
import { evaluateExpressions } from '../ansible/helpers/template-cases.ts';

/** Templates are text of whoever wrote the inventory; here by somebody who means harm. */
describe('a template', () => {
  it.each([
    ['loops', '{% for a in range(90000) %}{% for b in range(90000) %}{% set c = a %}{% endfor %}{% endfor %}'],
    ['asks for gigabytes', "{{ 'x' * 1000000 * 1000000 }}"],
    ['asks for gigabytes step by step', "{% set x = 'x' * 100000000 %}{% set y = x ~ x ~ x ~ x %}{{ y | length }}"],
    ['matches for ever', "{{ ('a' * 40 ~ 'b') | regex_search('^(a+)+$') }}"],
    ['nests brackets without end', `{{ ${'('.repeat(200)}1${')'.repeat(200)} }}`],
    ['makes more and more items', '{{ range(1000) | product(range(1000), range(1000)) | list }}'],
    ['calls itself', '{% macro m(a) %}{{ m(a) }}{% endmacro %}{{ m(1) }}'],
  ])('%s, and is stopped', { timeout: 20_000 }, async (_what, expression) => {
    const began = Date.now();
    const result = await evaluateExpressions([expression], 1000);
    expect(Date.now() - began).toBeLessThan(10_000);
    if (result.kind === 'done') expect(result.outcomes[0]?.kind).not.toBe('value');
    else expect(result.index).toBe(0);
  });

  it('reads no file, runs no program and sees none of our passwords', { timeout: 20_000 }, async () => {
    process.env['PORTFW_VAULT_PASSWORD'] = 'Vault-s3cret';
    const attempts = [
      "{{ lookup('file', '/etc/passwd') }}",
      "{{ lookup('pipe', 'id') }}",
      "{{ query('url', 'http://192.0.2.1/') }}",
      "{% include '/etc/passwd' %}",
      "{% import '/etc/passwd' as x %}",
      "{{ ''.__class__.__mro__ }}",
      "{{ {}.constructor.constructor('return process')() }}",
      "{{ lookup.constructor('return process')() }}",
      "{{ __name('port') }}",
      "{{ lookup('env', 'PORTFW_VAULT_PASSWORD') | mandatory | length // 0 }}",
    ];
    try {
      const result = await evaluateExpressions([...attempts, "x{{ lookup('env', 'PORTFW_VAULT_PASSWORD') }}"]);
      if (result.kind !== 'done') throw new Error('It was stopped');
      const [last] = result.outcomes.slice(-1);
      expect(last).toMatchObject({ kind: 'value', value: 'x' });
      for (const [index, attempt] of attempts.entries())
        expect(result.outcomes[index]?.kind, attempt).not.toBe('value');
    } finally {
      delete process.env['PORTFW_VAULT_PASSWORD'];
    }
  });
});
