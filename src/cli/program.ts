import { CommanderError } from 'commander';
import { InputError } from '../core/problem.ts';
import { terminalText } from '../core/terminal-text.ts';
import { buildProgram } from './build-program.ts';
import { concealOutput } from './concealed-output.ts';
import { EXIT } from './exit-codes.ts';
import { openTerminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/**
 * Runs portfw with its arguments, and shows all errors.
 *
 * @param argv the arguments without node and the script
 * @returns the exit code
 */
export async function runProgram(argv: readonly string[], version: string): Promise<number> {
  // The reader of a pipe may end (`| head`), or a disk may fill up, while hosts are in progress: this must not stop the
  // run.
  let unwritten = false;
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE' || unwritten) return;
    unwritten = true;
    process.stderr.write(`error: the output cannot be written: ${error.code ?? error.message}; the run continues\n`);
  };
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', onError);
    concealOutput(stream);
  }
  if (argv.some((argument) => /^--ask-(?:(?:become-|vault-)?pass|vault-password)=/.test(argument))) {
    // Refused before commander quotes it: the value is a password.
    return showError(new UsageError('a password never goes on the command line', PASSWORD_HINT), argv);
  }
  let code: number = EXIT.done;
  const program = buildProgram(version, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    // The errors of the last writes come with the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    return unwritten && (code === EXIT.done || code === EXIT.pending) ? EXIT.failed : code;
  } catch (error) {
    return showError(error, argv);
  }
}

const PASSWORD_HINT =
  'Give -k, -K or -J without a value to be asked, or set PORTFW_SSH_PASSWORD, PORTFW_BECOME_PASSWORD or PORTFW_VAULT_PASSWORD';

async function showError(error: unknown, argv: readonly string[]): Promise<number> {
  // Commander has printed its own message by now.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  const terminal = openTerminal(!argv.includes('--no-color'));
  const { wrapped } = await import('../report/terminal/wrap.ts');
  if (error instanceof InputError) {
    const { problemsText } = await import('../report/terminal/problems-text.ts');
    terminal.error(wrapped(problemsText(error.problems, terminal.errorStyle), terminal.errorWidth));
    return EXIT.usage;
  }
  if (error instanceof UsageError) {
    const text = `${terminal.errorStyle.red('error')}: ${error.message}\n    ${error.solve}\n`;
    terminal.error(wrapped(text, terminal.errorWidth));
    return EXIT.usage;
  }
  const verbose =
    argv.some((argument) => /^-vv+$/.test(argument)) || argv.filter((one) => /^(?:-v|--verbose)$/.test(one)).length > 1;
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack ?? message) : message;
  terminal.error(
    verbose
      ? `internal error: ${terminalText(stack)}\n`
      : `internal error: ${terminalText(message)} (run again with -vv to see where)\n`,
  );
  return EXIT.failed;
}
