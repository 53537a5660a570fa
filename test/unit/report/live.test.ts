import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import type { HostOutcome } from '../../../src/fleet/events.ts';
import { type FleetCommand, runFleet } from '../../../src/fleet/run.ts';
import { LiveReport } from '../../../src/report/terminal/live.ts';
import { LiveModel } from '../../../src/report/terminal/live-model.ts';
import { PLAIN_STYLE } from '../../../src/report/terminal/style.ts';
import type { LeftOut } from '../../../src/settings/left-out.ts';
import { contextOf, failed, jobsOf, names, planOf, ScriptedOperations, tick } from '../fleet/helpers/fakes.ts';
import { EVENTS, OUTCOMES, Written } from './helpers/outcomes.ts';

/** A terminal that understands what the live view uses: line feeds, up, carriage return, erase to the end. */
class Screen extends Written {
  lines: string[] = [''];
  row = 0;
  tallest = 0;
  widest = 0;

  override write(text: string): void {
    super.write(text);
    for (const part of text.match(/\u001b\[\d*[A-Za-z]|\n|\r|[^\u001b\n\r]+/g) ?? []) {
      const up = /^\u001b\[(\d+)A$/.exec(part);
      if (up !== null) this.row = Math.max(0, this.row - Number(up[1]));
      else if (part === '\u001b[J') this.lines = [...this.lines.slice(0, this.row), ''];
      else if (part === '\n') {
        this.row += 1;
        this.lines[this.row] ??= '';
      } else if (part !== '\r') this.lines[this.row] += part;
    }
    this.tallest = Math.max(this.tallest, this.lines.length);
    this.widest = Math.max(this.widest, ...this.lines.map((line) => stringWidth(line)));
  }
}

describe('the live model', () => {
  const start = (hosts: number): LiveModel => {
    const model = new LiveModel();
    model.event({ kind: 'run-started', command: 'apply', hosts: names(hosts), at: 0 });
    return model;
  };

  it('counts, and shows the active hosts with their phases', () => {
    const model = start(14);
    for (const event of EVENTS) model.event(event);
    model.event({ kind: 'host-phase', host: 'late', phase: 'verifying', at: 60_000 });
    expect(model.lines(200, 10, 65_000)).toEqual([
      `apply ${OUTCOMES.size}/${OUTCOMES.size} done · batch 1/3 · 5 failed · 2 rolled back · 1 skipped · 1 active · interrupted: finishing · 1 min 5 s`,
      '  late  verifying  5.0 s',
    ]);
  });

  it('does not count a planned host as active while it waits for its batch', () => {
    const model = start(2);
    model.event({ kind: 'host-phase', host: 'host1', phase: 'planning', at: 0 });
    const plan = { host: 'host1' } as never;
    model.event({ kind: 'host-planned', host: 'host1', plan, at: 1 });
    expect(model.lines(80, 10, 10)).toEqual(['apply 0/2 done · 1 planned · 0.0 s']);
    model.event({ kind: 'host-phase', host: 'host1', phase: 'writing', at: 5 });
    expect(model.lines(80, 10, 10)[0]).toBe('apply 0/2 done · 1 active · 0.0 s');
  });

  it('keeps phases in one column beside hosts with wide characters, and cuts by columns', () => {
    const model = start(2);
    model.event({ kind: 'host-phase', host: '東京', phase: 'connecting', at: 0 });
    model.event({ kind: 'host-phase', host: 'web-1', phase: 'verifying', at: 0 });
    model.event({ kind: 'host-phase', host: '東'.repeat(30), phase: 'writing', at: 0 });
    const [, ...hosts] = model.lines(200, 10, 1000);
    expect(hosts).toEqual([
      `  東京${' '.repeat(35)}  connecting  1.0 s`,
      `  web-1${' '.repeat(34)}  verifying  1.0 s`,
      `  ${'東'.repeat(19)}…  writing  1.0 s`,
    ]);
    for (const line of model.lines(40, 10, 1000)) expect(stringWidth(line)).toBeLessThanOrEqual(39);
    expect(stringWidth(model.lines(40, 10, 1000)[3]!)).toBe(39);
  });

  it.each([
    [80, 24],
    [20, 5],
    [10, 2],
    [1, 1],
    [300, 100],
  ])('fits a terminal of %i × %i, however many hosts are active', (columns, rows) => {
    const model = start(1000);
    for (const host of names(1000)) {
      model.event({ kind: 'host-phase', host: `${host}.a-very-long-name.example.net`, phase: 'connecting', at: 0 });
    }
    const lines = model.lines(columns, rows, 1000);
    expect(lines.length).toBeLessThanOrEqual(Math.max(1, rows - 1));
    for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(Math.max(1, columns - 1));
    if (rows >= 5) expect(lines.at(-1)).toMatch(/^ {2}… and \d+/);
  });
});

describe('the live view', () => {
  it.each([200, 1000])('stays calm at %i hosts: little CPU, within the terminal, no trace left', async (count) => {
    const screen = new Screen(80, 24);
    const report = new LiveReport(screen, PLAIN_STYLE, 0);
    const operations = new ScriptedOperations({
      plan: async (host, context) => {
        for (const phase of ['gathering facts', 'planning', 'verifying'] as const) context.phase(host, phase);
        await tick(10);
        return null;
      },
      apply: async (host) =>
        host === 'host7' ? failed : { kind: 'rolled-back', generation: 'g', hash: 'h', changed: true },
    });
    const command: FleetCommand = {
      kind: 'apply',
      review: async ({ plans }) => {
        await report.rest();
        expect(screen.lines.at(-1)).toBe('');
        expect(plans).toHaveLength(count);
        return true;
      },
    };
    const before = process.cpuUsage();
    const began = performance.now();
    const context = contextOf(jobsOf(names(count)));
    await runFleet(command, context, operations, { forks: 50, emit: (event) => report.event(event) });
    await report.rest();
    const cpu = process.cpuUsage(before);
    const elapsed = performance.now() - began;

    expect((cpu.user + cpu.system) / 1000).toBeLessThan(count === 1000 ? 2500 : 1200);
    // Ten paintings a second, and a print for each of the few lines that stay.
    expect(screen.writes).toBeLessThanOrEqual(elapsed / 100 + 10);
    expect(screen.tallest).toBeLessThanOrEqual(24 + 10);
    const stayed = screen.lines.filter((line) => line !== '');
    expect(stayed[0]).toMatch(/^host7: failed \(0\.\d s\): writing: the disk is full/);
    expect(stayed).toEqual([stayed[0], expect.stringMatching(/^ {2}\S/), '    To solve it: make room']);
  });

  it('shows a run that takes its changed hosts back, though all of them had ended', async () => {
    const screen = new Screen(60, 10);
    const report = new LiveReport(screen, PLAIN_STYLE, 0);
    const plan = planOf('a');
    report.event({ kind: 'run-started', command: 'apply', hosts: ['a', 'b'], at: 0 });
    const changed: HostOutcome = { kind: 'changed', plan, generation: 'g1', reloads: 0 };
    report.event({ kind: 'host-finished', host: 'a', outcome: changed, durationMs: 1, at: 1 });
    report.event({ kind: 'host-finished', host: 'b', outcome: failed, durationMs: 1, at: 2 });
    await tick(150);
    report.event({ kind: 'host-phase', host: 'a', phase: 'restoring', at: 160 });
    await tick(150);
    const counters = (): string | undefined => screen.lines.find((line) => line.startsWith('apply '));
    expect(counters()).toMatch(/^apply 2\/2 done · 1 changed · 1 failed · 1 active/);
    expect(screen.lines.some((line) => /^ {2}a {2}restoring/.test(line))).toBe(true);
    const outcome: HostOutcome = { kind: 'reverted', because: 'b failed', generation: 'g1' };
    report.event({ kind: 'host-reverted', host: 'a', outcome, durationMs: 1, at: 300 });
    await tick(20);
    report.event({ kind: 'host-phase', host: 'c', phase: 'restoring', at: 320 });
    await tick(150);
    expect(counters()).toMatch(/^apply 2\/2 done · 1 failed · 1 rolled back/);
    await report.rest();
    expect(screen.lines.filter((line) => line.startsWith('a: '))).toHaveLength(1);
    expect(screen.lines.join('\n')).toContain(
      'a: reverted (0.0 s): rolled back to generation g1 because b\n  failed\n',
    );
  });

  it('says which hosts are left out, and of a run without any nothing at its start', async () => {
    const printed = async (leftOut: readonly LeftOut[]): Promise<readonly string[]> => {
      const screen = new Screen(200, 10);
      const report = new LiveReport(screen, PLAIN_STYLE, 0);
      const given = leftOut.length === 0 ? {} : { leftOut };
      report.event({ kind: 'run-started', command: 'plan', hosts: ['a'], ...given, at: 0 });
      report.event({ kind: 'host-finished', host: 'a', outcome: failed, durationMs: 1, at: 1 });
      await report.rest();
      return screen.lines.filter((line) => line !== '').slice(0, -2);
    };
    expect(await printed([])).toEqual([]);
    expect(await printed([{ host: 'pc\u001b[31m1', why: 'connection', connection: 'winrm' }])).toEqual([
      'plan: 1 host',
      '    left out: pc1 (ansible_connection: winrm)',
    ]);
  });

  it('prints above itself and repaints below', async () => {
    const screen = new Screen(60, 10);
    const report = new LiveReport(screen, PLAIN_STYLE, 0);
    report.event({ kind: 'run-started', command: 'facts', hosts: ['a', 'b'], at: 0 });
    report.event({ kind: 'host-phase', host: 'a', phase: 'connecting', at: 0 });
    await tick(150);
    report.say('a line that stays');
    expect(screen.lines[0]).toBe('a line that stays');
    expect(screen.lines[1]).toMatch(/^facts 0\/2 done · 1 active/);
    expect(screen.lines[2]).toMatch(/^ {2}a {2}connecting/);
    await report.rest();
    expect(screen.lines.filter((line) => line !== '')).toEqual(['a line that stays']);
    report.event({ kind: 'host-phase', host: 'b', phase: 'connecting', at: 200 });
    await tick(150);
    expect(screen.lines[1]).toMatch(/2 active/);
    await report.rest();
  });
});
