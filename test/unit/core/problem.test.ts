import { describe, expect, it } from 'vitest';
import { formatProblem, Problem, type SourceLocation } from '../../../src/core/problem.ts';

const at = (secret: SourceLocation['secret']): SourceLocation => ({ file: 'f.yaml', line: 2, column: 3, secret });
const said = { severity: 'error', code: 'bad-port', what: 'port "hunter2" is bad', solve: 'Not "hunter2"' } as const;

describe('a problem', () => {
  it('says what is wrong, where and how to solve it', () => {
    expect(formatProblem(new Problem({ ...said, location: at(null) }))).toBe(
      'f.yaml:2:3: error: port "hunter2" is bad\n    Not "hunter2"',
    );
    expect(formatProblem(new Problem({ ...said, location: null }))).toMatch(/^error: port/);
  });

  it('quotes nothing of a place whose text comes from a vault', () => {
    const ofVariable = new Problem({ ...said, details: ['hunter2'], location: at({ variable: 'ansible_port' }) });
    expect(JSON.stringify(ofVariable)).not.toContain('hunter2');
    expect(ofVariable.what).toBe('the value of ansible_port comes from a vault, and is not right (bad port)');
    const ofFile = new Problem({ ...said, severity: 'warning', location: at({ variable: null }) });
    expect(ofFile.what).toBe('something in this encrypted file is doubtful (bad port)');
  });

  it('may say why a vault or a template gave no value', () => {
    const problem = new Problem({ ...said, code: 'vault-format', location: at({ variable: 'x' }) });
    expect(problem.what).toBe(said.what);
  });

  it('cannot be changed into another one, which is for the type check to see', () => {
    const problem = new Problem({ ...said, location: at({ variable: 'x' }) });
    // @ts-expect-error a copy with other words is no problem
    const copy: Problem = { ...problem, what: 'hunter2' };
    // @ts-expect-error nor is a literal
    const literal: Problem = { ...said, details: [], location: null };
    expect([copy, literal].some((one) => one instanceof Problem)).toBe(false);
    expect(new Problem({ ...problem, what: 'hunter2' }).what).not.toContain('hunter2');
  });
});
