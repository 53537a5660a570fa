import { describe, expect, it } from 'vitest';
import { jsonLine, NdjsonReport } from '../../../src/report/ndjson.ts';
import { EVENTS, Written } from './helpers/outcomes.ts';

describe('NDJSON', () => {
  const output = new Written();
  const diagnostics = new Written();
  const report = new NdjsonReport(output, diagnostics);
  for (const event of EVENTS) report.event(event);
  report.say('not an event');
  const lines = output.text.trimEnd().split('\n');
  const values = lines.map((line) => JSON.parse(line));

  it('has one object a line for every event, in the shape of the event', () => {
    expect(values.map((value) => value.kind)).toEqual(EVENTS.map((event) => event.kind));
    expect(values.slice(0, -1)).toEqual(EVENTS.slice(0, -1));
  });

  it('keeps everything else out of the stream', () => {
    expect(diagnostics.text).toBe('not an event\n');
  });

  it('ends with the summary: outcomes by host, without facts and plans', () => {
    const { summary } = values.at(-1);
    expect(summary).toMatchObject({ command: 'apply', durationMs: 65432, interrupted: true });
    expect(summary.counts).toMatchObject({ facts: 1, roles: 3, failed: 3, reverted: 1, changed: 1 });
    expect(summary.outcomes['changed1']).toEqual({ kind: 'changed', changes: 10, generation: '20260131T221500Z-3f2a' });
    expect(summary.outcomes['settled1']).toEqual({ kind: 'unchanged', changes: 0 });
    expect(summary.outcomes['refused1']).toEqual({
      kind: 'refused',
      code: 'firewalld-absent',
      what: 'firewalld is not installed',
    });
    expect(summary.outcomes['failed1'].aftermath.kind).toBe('restore-failed');
    expect(summary.outcomes['reverted1']).toEqual({
      kind: 'reverted',
      because: 'failed1 failed',
      generation: '20260131T221500Z-77aa',
    });
    expect(summary.outcomes['facts1']).toEqual({ kind: 'facts' });
    expect(summary.outcomes['skipped1'].because).toContain('interrupted');
  });

  it('writes maps as objects and control characters as escapes', () => {
    const value = { map: new Map([['a', new Map([['b', 1]])]]), text: '\u009b31m\u202e\u2028\u007f' };
    const line = jsonLine(value);
    expect(line).toBe('{"map":{"a":{"b":1}},"text":"\\u009b31m\\u202e\\u2028\\u007f"}');
    expect(JSON.parse(line).text).toBe(value.text);
  });
});
