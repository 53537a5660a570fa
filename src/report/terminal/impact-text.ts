import { type FlowFate, flowText, type ImpactPart, socketText } from '../impact-view.ts';
import { moreLines } from './more-lines.ts';
import type { Style } from './style.ts';

/** What a plan does to listening sockets and established flows. */
export function impactLines(parts: readonly ImpactPart[], style: Style): readonly string[] {
  return parts.flatMap((part) => partLines(part, style));
}

function partLines(part: ImpactPart, style: Style): readonly string[] {
  switch (part.kind) {
    case 'closed':
    case 'opened': {
      const sign = part.kind === 'closed' ? style.red('-') : style.green('+');
      const { shown, more } = part.sockets;
      const sockets = shown.map((socket) => `${sign} ${socketText(socket)}`);
      return [`  ${part.title}`, ...moreLines({ shown: sockets, more }).map((text) => `    ${text}`)];
    }
    case 'unheard':
      return [style.dim(`  ${part.title}: ${moreLines(part.ports).join(', ')}`)];
    case 'flows':
      return [`  ${part.title}`, ...part.fates.flatMap((fate) => fateLines(fate, style))];
  }
}

function fateLines(fate: FlowFate, style: Style): readonly string[] {
  switch (fate.kind) {
    case 'cut':
    case 'outlive': {
      const paint = fate.kind === 'cut' ? style.red : style.yellow;
      const { shown, more } = fate.flows;
      const flows = moreLines({ shown: shown.map(flowText), more });
      return [paint(`    ${fate.text}:`), ...flows.map((text) => `      ${text}`)];
    }
    case 'unknown':
    case 'unseen':
      return [`    ${fate.text}`];
  }
}
