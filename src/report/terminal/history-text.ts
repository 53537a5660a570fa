import { terminalLine } from '../../core/terminal-text.ts';
import type { PendingRun } from '../../facts/facts.ts';
import type { Generation } from '../../host/answers.ts';
import { oneLine } from '../clean.ts';
import { columnLines } from './layout.ts';
import { runText } from './status-text.ts';
import type { Style } from './style.ts';

/** A host's saved generations, one per line, in the given order. */
export function historyText(
  host: string,
  { generations, pending }: { readonly generations: readonly Generation[]; readonly pending: readonly PendingRun[] },
  style: Style,
): string {
  const title = style.bold(terminalLine(host));
  const runs = pending.map((run) => `  ${style.yellow(runText(run))}`);
  if (generations.length === 0)
    return `${[title, '  no generations: portfw has not changed this host yet', ...runs].join('\n')}\n`;
  const head = ['  generation', 'saved', 'by', 'before', 'hash', ''].map((text) => ({ text, paint: style.dim }));
  const rows = generations.map((one) => [
    { text: `  ${oneLine(one.id)}` },
    { text: oneLine(one.savedAt) },
    { text: oneLine(one.savedBy) },
    { text: oneLine(one.before) },
    { text: oneLine(one.permanentHash).slice(0, 12) },
    { text: one.current ? '← current configuration' : '', paint: style.green },
  ]);
  return `${[title, ...columnLines([head, ...rows]), ...runs].join('\n')}\n`;
}
