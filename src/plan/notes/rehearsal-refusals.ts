import type { CodedFault } from '../../core/failure.ts';
import type { PolicyNote } from '../../policy/desired.ts';
import type { Rehearsal, RehearsedName, RehearsedState } from '../rehearsal.ts';

/** A run test-loads the files, reloads, and may be slower than the rehearsal; some seconds are added for the rest. */
const SLOWER = 3;
const REST_SECONDS = 2;

const MOMENTS: Readonly<Record<RehearsedName, string>> = {
  disk: 'its current files',
  reload: "its files with the plan's definitions",
  running: 'the running configuration',
  boot: 'its files after the plan',
};

/**
 * Why a plan must not be carried out, according to the host's own firewalld: files that do not load (a reload, a reboot and a
 * rollback would fail), calls that fail, and a window that would end before the reload does.
 *
 * @param windowSeconds how long the host waits before it rolls back
 * @param reload whether the plan reloads or starts firewalld
 */
export function rehearsalRefusals(rehearsal: Rehearsal, windowSeconds: number, reload: boolean): CodedFault[] {
  if (rehearsal.kind === 'not-rehearsed') return [];
  const { states } = rehearsal;
  const broken = states.find((state) => !state.loads && state.name !== 'running');
  if (broken !== undefined && !broken.loads) return [doesNotLoad(broken)];
  const found: CodedFault[] = [];
  for (const state of states) {
    if (!state.loads) continue;
    for (const text of state.failed)
      found.push({
        code: 'step-would-fail',
        what: `a step of the plan fails in the rehearsal: ${text}`,
        solve: 'fix what the error names; if it is correct, report the error with the output of `portfw facts --json`',
      });
  }
  const seconds = Math.max(...states.map((state) => (state.loads ? state.seconds : 0)));
  const needed = Math.ceil(seconds * SLOWER + REST_SECONDS);
  if (reload && needed > windowSeconds)
    found.push({
      code: 'window-too-short',
      what: `firewalld takes ${inSeconds(seconds)} to load its files, so a run with its rollback may need ${needed} s, but the host rolls back after ${windowSeconds} s`,
      solve: `allow more time: --revert-after ${needed}s`,
    });
  return found;
}

function inSeconds(seconds: number): string {
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

/** Why a state does not load, in firewalld's words, with the foreign files that cause it. */
export function doesNotLoad(state: Extract<RehearsedState, { loads: false }>): CodedFault {
  const { name, why, files, together, slow } = state;
  if (slow)
    return {
      code: name === 'disk' ? 'cannot-reload' : 'would-not-load',
      what: `firewalld takes too long to load ${MOMENTS[name]}: ${why}`,
      solve:
        'a rollback would take as long: plan again when the host is less busy, or give firewalld fewer interfaces, sources and entries',
    };
  const asIs = name === 'disk';
  const paths = files.slice(0, 5).map((path) => `/etc/firewalld/${path}`);
  const blame = paths.length === 0 ? '' : `; without ${paths.join(together ? ' and ' : ' or ')} it would load`;
  return {
    code: asIs ? 'cannot-reload' : 'would-not-load',
    what: `firewalld cannot load ${MOMENTS[name]}: ${why}${blame}`,
    solve: asIs
      ? paths.length === 0
        ? 'fix what the error names: until then every reload, reboot and rollback fails'
        : `fix ${paths.length === 1 ? 'that file' : together ? 'these files' : 'one of these files'}, or move ${together ? 'them' : 'it'} out of /etc/firewalld: until then every reload, reboot and rollback fails`
      : 'nothing was written; report this with the output of `portfw facts --json`',
  };
}

/** What a reviewer must know about the rehearsal itself. */
export function rehearsalNotes(rehearsal: Rehearsal): PolicyNote[] {
  if (rehearsal.kind === 'not-rehearsed')
    return [
      {
        severity: 'warning',
        code: 'not-rehearsed',
        text: `the host could not rehearse the plan (${rehearsal.why}): its effects are computed from the configuration only`,
      },
    ];
  const notes: PolicyNote[] = [];
  for (const state of rehearsal.states) {
    if (!state.loads) {
      notes.push({
        severity: 'warning',
        code: 'not-rehearsed',
        text: `${MOMENTS[state.name]} could not be rehearsed (${state.why}): that part of the plan is computed from the configuration only`,
      });
    }
  }
  const [disk, ...later] = ['disk', 'reload', 'boot'].map((name) =>
    rehearsal.states.find((state) => state.name === name),
  );
  const known = new Set(disk?.loads === true ? disk.modules : []);
  const modules = new Set(
    later.flatMap((state) => (state?.loads === true ? state.modules : [])).filter((name) => !known.has(name)),
  );
  if (modules.size > 0)
    notes.push({
      severity: 'info',
      code: 'modules',
      text: `firewalld will load kernel modules: ${[...modules].sort().join(', ')}`,
    });
  if (disk?.loads === true)
    for (const text of disk.said.filter((line) => line.startsWith('ERROR')))
      notes.push({
        severity: 'warning',
        code: 'firewalld-complains',
        text: `firewalld reports while loading its current files: ${text}`,
      });
  return notes;
}
