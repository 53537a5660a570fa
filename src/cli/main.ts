#!/usr/bin/env node
import { readFileSync } from 'node:fs';

const argv = process.argv.slice(2);

if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  // Answered before anything is imported: scripts ask for it often.
  process.stdout.write(`${packageVersion()}\n`);
} else {
  const { runProgram } = await import('./program.ts');
  const code = await runProgram(argv, packageVersion());
  process.exitCode = code;
  // First both streams are drained. Then the process ends, even if something is still open.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

/** The same two steps up from src/cli and from dist/cli. */
function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
