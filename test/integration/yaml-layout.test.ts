import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/problem.ts';
import { parseYaml } from '../../src/documents/yaml-document.ts';
import { requireAnsible } from '../helpers/ansible.ts';
import { INVISIBLE_BREAKS, LAYOUT_CASES, REFUSED } from '../helpers/layout-cases.ts';
import { hasMistake, randomLayouts } from '../helpers/random-layouts.ts';

/**
 * The layout of YAML as portfw reads it, beside the PyYAML that Ansible uses here. It is the one with libyaml: PyYAML's own scanner,
 * which Ansible takes when there is no libyaml, refuses some tabs.
 */

const RANDOM = randomLayouts(6000, 20_261_128);

const PROGRAM = `
import json, sys, yaml
answers = []
for text in json.load(sys.stdin):
    try:
        answers.append({'value': yaml.load(text, yaml.CSafeLoader)})
    except (yaml.YAMLError, ValueError) as error:
        answers.append({'refused': str(getattr(error, 'problem', None) or error)})
json.dump(answers, sys.stdout)
`;

type Answer = { readonly value: unknown } | { readonly refused: string };

function askPyYaml(texts: readonly string[]): readonly Answer[] {
  const options = { input: JSON.stringify(texts), encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 } as const;
  const { status, stdout, stderr } = spawnSync(requireAnsible(), ['-c', PROGRAM], options);
  if (status !== 0) throw new Error(`PyYAML could not be asked: ${stderr}`);
  return JSON.parse(stdout) as readonly Answer[];
}

function askPortfw(text: string): Answer {
  try {
    return { value: parseYaml(text, 'f').value };
  } catch (error) {
    if (error instanceof InputError) return { refused: error.message };
    throw error;
  }
}

/** What portfw refuses on purpose; docs/reference/ansible-differences.md says so. */
const ON_PURPOSE = /appears twice|carriage return|byte order mark|invisible character|more than one YAML document/;
const MARK_ALONE = /^ *[|>][-+]?\r?$/m;
/** What PyYAML says of texts with forms that only YAML 1.2 has, such as an empty key. */
const ONLY_NEWER = /expected (?:node content|key|alphabetic|whitespace|',' or)|found unexpected ':'/;

describe('the layout of YAML', () => {
  let answers: readonly Answer[];
  beforeAll(() => {
    answers = askPyYaml(RANDOM);
  });

  it('is to PyYAML what the table of the unit tests says', () => {
    const theirs = askPyYaml([...LAYOUT_CASES.map(([text]) => text), ...INVISIBLE_BREAKS]);
    for (const [index, [text, value]] of LAYOUT_CASES.entries()) {
      const answer = theirs[index]!;
      expect('value' in answer ? answer.value : REFUSED, JSON.stringify(text)).toEqual(value);
    }
    for (const [index, text] of INVISIBLE_BREAKS.entries())
      expect(theirs[LAYOUT_CASES.length + index], JSON.stringify(text)).toHaveProperty('value');
  });

  it('is read as PyYAML reads it, in documents laid out at random', () => {
    const counts = { equal: 0, bothRefuse: 0, onlyPyYaml: 0, onlyPortfw: 0 };
    const wrong: unknown[] = [];
    for (const [index, text] of RANDOM.entries()) {
      const theirs = answers[index]!;
      const ours = askPortfw(text);
      if ('value' in ours && 'value' in theirs) {
        counts.equal += 1;
        // As text: the order of keys is part of the value.
        if (JSON.stringify(ours.value) !== JSON.stringify(theirs.value)) wrong.push({ text, ours, theirs });
      } else if ('refused' in ours && 'refused' in theirs) counts.bothRefuse += 1;
      else if ('refused' in ours) {
        counts.onlyPyYaml += 1;
        if (!hasMistake(index) || !(ON_PURPOSE.test(ours.refused) || MARK_ALONE.test(text))) wrong.push({ text, ours });
      } else if ('refused' in theirs) {
        counts.onlyPortfw += 1;
        if (!hasMistake(index) || !ONLY_NEWER.test(theirs.refused)) wrong.push({ text, theirs });
      }
    }
    expect(wrong).toEqual([]);
    expect(counts.equal).toBeGreaterThan(3900);
    expect(counts.bothRefuse).toBeGreaterThan(1000);
    expect(counts.onlyPortfw).toBeLessThan(20);
  });
});
