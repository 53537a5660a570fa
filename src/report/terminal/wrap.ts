import stringWidth from 'string-width';

/** Commands that people paste: a line feed in the middle of one would run half of it. */
const COMMANDS = [
  'portfw (?:apply|confirm|detect|facts|history|init|inventory|lint|matrix|plan|rollback|status|sudoers)',
  'ssh-(?:add|copy-id|keygen|keyscan)',
  'ssh(?= -)|sudo(?= -)|chmod|systemctl|journalctl|firewall-cmd|nmcli|puttygen|(?:apt-get|dnf|yum|zypper)(?= install)',
].join('|');
const COMMAND = `(?:${COMMANDS}) (?:'[^']*'|[^;()\`"'])*(?:'[^']*'|[^;()\`"',.\\s])`;

/** What stays on one line: quoted text, a value in brackets, a command, a word. */
const PIECES = new RegExp(
  '`[^`]*`[^\\s]*|"[^"]*"[^\\s]*|[\\w.-]+: (?:\\[(?:[^[\\]]|\\[[^\\]]*\\])*\\]|\\{(?:[^{}]|\\{[^}]*\\})*\\})[^\\s]*|' +
    `(?<![^\\s])${COMMAND}[^\\s]*|[^\\s]+`,
  'gu',
);

/**
 * Wraps lines at blanks to a terminal's width, and indents what follows. Words are never cut, nor what people paste: a longer
 * piece stands on a line of its own, for the terminal to wrap. Escape sequences of colours may be in the text.
 *
 * @param columns `null` for everything that is no terminal: nothing is wrapped
 */
export function wrapped(text: string, columns: number | null): string {
  if (columns === null || columns < 20) return text;
  return text
    .split('\n')
    .flatMap((line) => (stringWidth(line) <= columns ? [line] : wrappedLine(line, columns)))
    .join('\n');
}

function wrappedLine(line: string, columns: number): readonly string[] {
  const indent = /^ */.exec(line)![0];
  const further = `${indent}  `;
  const lines: string[] = [];
  let current = '';
  let end = 0;
  for (const { 0: piece, index } of line.matchAll(PIECES)) {
    // The blanks that were there: a line may be in columns.
    const gap = line.slice(end, index);
    end = index + piece.length;
    if (current === '') current = indent + piece;
    else if (stringWidth(current) + gap.length + stringWidth(piece) <= columns) current += gap + piece;
    else {
      lines.push(current);
      current = further + piece;
    }
  }
  return [...lines, current];
}
