import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { type Lab, startLab } from '../lab/lab.ts';
import { portfw } from './helpers/portfw-cli.ts';

/**
 * The examples of docs/pull-requests.md: every script of the workflow and of the jobs is run as it stands, against real hosts.
 * What the forge does itself (checking out, keeping artifacts) and its API are played by this file.
 */
const ROOT = join(import.meta.dirname, '../..');
const EXAMPLES = join(ROOT, 'docs/examples/ci');
const HEAD = '1'.repeat(40);
const MERGED = '2'.repeat(40);

interface Step {
  readonly name?: string;
  readonly id?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}
type Job = { readonly steps: readonly Step[]; readonly env: Readonly<Record<string, string>> };

/** A comment, as both forges have it: GitHub calls its author `user`, GitLab `author`. */
interface Comment {
  readonly id: number;
  body: string;
  readonly user: { readonly login: string };
  readonly author: { readonly username: string };
}

let lab: Lab;
let work: string;
let server: Server;
let url: string;
const comments: Comment[] = [];
/** Requests of the scripts, `METHOD path`. */
const asked: string[] = [];
/** Artifacts that the forge keeps, by name. */
const artifacts = new Map<string, string>();

const by = (name: string) => ({ user: { login: name }, author: { username: name } });

/** What the API answers; `null` for what is not there. */
function answerTo(method: string, path: string, body: string, page: number): unknown {
  const post = (): Comment => {
    const comment = {
      id: 100 + comments.length,
      body: (JSON.parse(body) as Comment).body,
      ...by('github-actions[bot]'),
    };
    comments.push(comment);
    return comment;
  };
  const edit = (id: string | undefined): Comment => {
    const comment = comments.find((one) => one.id === Number(id))!;
    comment.body = (JSON.parse(body) as Comment).body;
    return comment;
  };
  // Two comments a page, so that the scripts must turn it.
  const paged = comments.slice((page - 1) * 2, page * 2);
  const made = { id: 77, head_sha: HEAD, repository_id: 5, head_repository_id: 5 };
  const answers: readonly (readonly [RegExp, (found: RegExpExecArray) => unknown])[] = [
    [/^GET \S+\/(?:issues\/7\/comments|merge_requests\/7\/notes)$/, () => paged],
    [/^POST \S+\/(?:issues\/7\/comments|merge_requests\/7\/notes)$/, post],
    [/^(?:PATCH \S+\/issues\/comments|PUT \S+\/merge_requests\/7\/notes)\/(\d+)$/, (found) => edit(found[1])],
    [/^GET \/api\/user$/, () => ({ username: 'github-actions[bot]' })],
    [
      new RegExp(`^GET /api/repos/ops/firewall/commits/${MERGED}/pulls$`),
      () => [{ number: 7, merged_at: '2026-01-01T00:00:00Z', merge_commit_sha: MERGED, head: { sha: HEAD } }],
    ],
    [
      /^GET \/api\/repos\/ops\/firewall\/actions\/artifacts$/,
      () => ({
        artifacts: [
          // Of a fork, under the same name.
          { expired: false, workflow_run: { ...made, id: 66, head_repository_id: 6 } },
          // Of another workflow of this repository.
          { expired: false, workflow_run: { ...made, id: 67 } },
          { expired: false, workflow_run: made },
        ],
      }),
    ],
    [/^GET \S+\/actions\/runs\/67$/, () => ({ event: 'push', path: '.github/workflows/other.yaml' })],
    [/^GET \S+\/actions\/runs\/77$/, () => ({ event: 'pull_request', path: '.github/workflows/portfw.yaml' })],
    [
      /^GET \/api\/projects\/5\/repository\/commits\/\w+\/merge_requests$/,
      () => [{ iid: 7, state: 'merged', sha: HEAD }],
    ],
    [
      /^GET \/api\/projects\/5\/merge_requests\/7\/pipelines$/,
      () => [
        { id: 8, sha: HEAD, source: 'push' },
        { id: 9, sha: HEAD, source: 'merge_request_event' },
      ],
    ],
    [
      /^GET \/api\/projects\/5\/pipelines\/9\/jobs$/,
      () => [
        { id: 10, name: 'lint' },
        { id: 11, name: 'plan' },
      ],
    ],
  ];
  for (const [pattern, answer] of answers) {
    const found = pattern.exec(`${method} ${path}`);
    if (found !== null) return answer(found);
  }
  return null;
}

beforeAll(async () => {
  lab = await startLab({
    name: 'pull-requests',
    hosts: [
      { name: 'ocs1', suite: 'bookworm', daemons: ['ocs'] },
      { name: 'ocs2', suite: 'trixie', daemons: ['ocs'] },
    ],
  });
  const setUp = await portfw('sudoers', 'ops', '--planner', 'ci');
  expect(setUp.exitCode).toBe(0);
  await Promise.all(
    ['ocs1', 'ocs2'].map(async (name) => {
      const host = lab.host(name);
      await host.sh('for user in ops ci; do useradd -m -s /bin/sh "$user"; done');
      await host.writeFile('/root/setup.sh', setUp.stdout);
      await host.sh('sh /root/setup.sh');
    }),
  );
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://forge');
      const page = Number(searchParams.get('page') ?? 1);
      asked.push(`${request.method} ${pathname}`);
      const { authorization, 'private-token': token } = request.headers;
      const allowed =
        authorization === 'Bearer workflow-token' || ['comment-token', 'read-token'].includes(String(token));
      if (allowed && pathname.endsWith('/jobs/11/artifacts/change.plan.json')) {
        response.end(readFileSync(artifacts.get('gitlab')!));
        return;
      }
      const answer = allowed ? answerTo(request.method!, pathname, Buffer.concat(chunks).toString(), page) : null;
      const more = Array.isArray(answer) && pathname.endsWith('s') && page * 2 < comments.length;
      if (more) response.setHeader('link', `<${url}${pathname.slice(4)}?per_page=100&page=${page + 1}>; rel="next"`);
      response.statusCode = answer === null ? 404 : 200;
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
});
afterAll(async () => {
  server?.close();
  await lab?.stop();
});

/** A checkout of the repository, with the programs where the example wants them. */
function checkOut(programs: string): void {
  work = mkdtempSync(join(tmpdir(), 'portfw-pull-requests-'));
  for (const folder of ['inventory', 'bin', 'home', 'runner', programs])
    mkdirSync(join(work, folder), { recursive: true });
  for (const name of ['comment.mjs', 'find-plan.mjs']) copyFileSync(join(EXAMPLES, name), join(work, programs, name));
  const hosts = Object.fromEntries(
    ['ocs1', 'ocs2'].map((name) => {
      const { publicAddress, privateAddress } = lab.host(name);
      const portfw_interfaces = { public: publicAddress, private: privateAddress };
      return [name, { ansible_host: publicAddress, portfw_interfaces, portfw_playbook: 'portaswitch-ocs' }];
    }),
  );
  writeFileSync(join(work, 'inventory/hosts.yaml'), stringify({ all: { hosts } }));
  const main = join(ROOT, 'dist/cli/main.js');
  writeFileSync(join(work, 'bin/portfw'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
}

interface Ended {
  readonly code: number;
  readonly said: string;
}

/** Runs a script as the forges do: by bash, which ends at the first command that fails. */
function bash(script: string, env: Readonly<Record<string, string>>): Promise<Ended> {
  const all = { PATH: `${join(work, 'bin')}:${process.env['PATH']}`, HOME: join(work, 'home'), ...env };
  return new Promise((resolve) => {
    execFile('bash', ['-eo', 'pipefail', '-c', script], { cwd: work, env: all, timeout: 170_000 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), said: `${out}${err}` }),
    );
  });
}

const KEYS = () => ({
  key: readFileSync(lab.privateKeyFile, 'utf8').trimEnd(),
  hosts: readFileSync(lab.knownHostsFile, 'utf8').trimEnd(),
});

describe('the workflow of GitHub', () => {
  const workflow = parse(readFileSync(join(EXAMPLES, 'github.yaml'), 'utf8')) as {
    readonly permissions: unknown;
    readonly jobs: Readonly<
      Record<'plan' | 'apply', Job & { readonly permissions: unknown; readonly environment: string }>
    >;
  };

  /** Runs the steps of a job; the first one that fails ends it, but for those that always run. */
  async function runJob(name: 'plan' | 'apply', sha: string): Promise<Ended> {
    const { key, hosts } = KEYS();
    const outputs = join(work, 'runner/outputs');
    writeFileSync(outputs, '');
    const given: Readonly<Record<string, string>> = {
      'secrets.PORTFW_PLAN_KEY': key,
      'secrets.PORTFW_APPLY_KEY': key,
      'vars.PORTFW_KNOWN_HOSTS': hosts,
      'github.token': 'workflow-token',
      'github.event.number': '7',
      'github.event.pull_request.head.sha': HEAD,
    };
    const filled = (text: string): string =>
      text.replace(/\$\{\{ ([^}]+) \}\}/g, (_whole, expression: string) => {
        const output = /^steps\.plan\.outputs\.(\w+)$/.exec(expression)?.[1];
        const value =
          output === undefined
            ? given[expression]
            : new RegExp(`^${output}=(.*)$`, 'm').exec(readFileSync(outputs, 'utf8'))?.[1];
        if (value === undefined) throw new Error(`the workflow uses ${expression}`);
        return value;
      });
    const job = workflow.jobs[name];
    const env = (more: Readonly<Record<string, string>> = {}) => ({
      RUNNER_TEMP: join(work, 'runner'),
      GITHUB_API_URL: url,
      GITHUB_REPOSITORY: 'ops/firewall',
      GITHUB_SHA: sha,
      GITHUB_OUTPUT: outputs,
      ...Object.fromEntries(Object.entries({ ...job.env, ...more }).map(([key_, value]) => [key_, filled(value)])),
    });
    let code = 0;
    let said = '';
    for (const step of job.steps) {
      if (code !== 0 && step.if === undefined) continue;
      const artifact = step.with === undefined ? '' : filled(step.with['name'] ?? '');
      if (step.uses?.startsWith('actions/upload-artifact@')) {
        const kept = join(tmpdir(), `${artifact}-${process.pid}`);
        copyFileSync(join(work, step.with!['path']!), kept);
        artifacts.set(artifact, kept);
      } else if (step.uses?.startsWith('actions/download-artifact@')) {
        expect(filled(step.with!['run-id']!)).toBe('77');
        copyFileSync(artifacts.get(artifact)!, join(work, 'change.plan.json'));
      } else if (step.uses === undefined) {
        const ended = await bash(step.run!, env(step.env));
        said += ended.said;
        if (code === 0) code = ended.code;
      } else expect(step.uses).toMatch(/^actions\/checkout@/);
    }
    return { code, said };
  }

  it('gives each job only what it needs', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    expect(workflow.jobs.plan.permissions).toEqual({ contents: 'read', 'pull-requests': 'write' });
    expect(workflow.jobs.apply.permissions).toEqual({ contents: 'read', actions: 'read', 'pull-requests': 'read' });
    expect(JSON.stringify(workflow.jobs.plan)).not.toContain('APPLY_KEY');
  });

  it('plans a pull request, and posts one comment, which it updates', async () => {
    comments.push({ id: 1, body: 'please have a look', ...by('somebody') });
    comments.push({ id: 2, body: '<!-- portfw:plan -->\nnot yours', ...by('somebody') });
    comments.push({ id: 3, body: 'me too', ...by('somebody') });
    checkOut('.github/portfw');
    const first = await runJob('plan', HEAD);
    expect(first.code, first.said).toBe(0);
    expect(comments).toHaveLength(4);
    expect(comments[3]!.body).toMatch(/^<!-- portfw:plan -->\n/);
    expect(comments[3]!.body).toContain('ocs1');
    expect(existsSync(join(work, 'runner/key'))).toBe(false);
    comments[3]!.body = '<!-- portfw:plan -->\nold';
    rmSync(work, { recursive: true });
    checkOut('.github/portfw');
    const second = await runJob('plan', HEAD);
    expect(second.code, second.said).toBe(0);
    expect(comments).toHaveLength(4);
    expect(comments[3]!.body).toContain('ocs1');
    expect(comments.slice(0, 3).map(({ body }) => body)).toEqual([
      'please have a look',
      '<!-- portfw:plan -->\nnot yours',
      'me too',
    ]);
  });

  it('applies exactly this plan after the merge', async () => {
    rmSync(work, { recursive: true });
    checkOut('.github/portfw');
    const ended = await runJob('apply', MERGED);
    expect(ended.code, ended.said).toBe(0);
    for (const name of ['ocs1', 'ocs2'])
      expect(await lab.host(name).sh('firewall-cmd --get-active-zones')).toMatch(/^portfw-public/m);
    // Again: each host is as the plan says already.
    const again = await runJob('apply', MERGED);
    expect(again.code, again.said).toBe(0);
  });

  it('refuses the plan if what was merged is not what was planned', async () => {
    writeFileSync(
      join(work, 'inventory/more.yaml'),
      stringify({ all: { vars: { portfw_management: ['192.0.2.0/24'] } } }),
    );
    const ended = await runJob('apply', MERGED);
    expect(ended.code).not.toBe(0);
    expect(ended.said).toContain('more.yaml');
    rmSync(work, { recursive: true });
  });
});

describe('the jobs of GitLab', () => {
  interface GitLabJob {
    readonly script: readonly string[];
    readonly after_script?: readonly string[];
    readonly artifacts?: { readonly paths: readonly string[]; readonly reports: { readonly junit: string } };
  }
  const file = parse(readFileSync(join(EXAMPLES, 'gitlab-ci.yaml'), 'utf8')) as Readonly<Record<string, GitLabJob>> & {
    readonly '.hosts': { readonly before_script: readonly string[] };
  };

  /** Runs a job: its script after that of `.hosts`, then what always runs, in a shell of its own. */
  async function runJob(name: string): Promise<Ended> {
    const { key, hosts } = KEYS();
    writeFileSync(join(work, 'runner/key'), `${key}\n`, { mode: 0o644 });
    writeFileSync(join(work, 'runner/known_hosts'), `${hosts}\n`);
    const env = {
      PORTFW_KEY: join(work, 'runner/key'),
      PORTFW_KNOWN_HOSTS: join(work, 'runner/known_hosts'),
      PORTFW_COMMENT_TOKEN: 'comment-token',
      PORTFW_READ_TOKEN: 'read-token',
      CI_API_V4_URL: url,
      CI_PROJECT_ID: '5',
      CI_MERGE_REQUEST_IID: '7',
      CI_COMMIT_SHA: MERGED,
    };
    const job = file[name]!;
    const main = await bash([...file['.hosts'].before_script, ...job.script].join('\n'), env);
    const after = job.after_script === undefined ? null : await bash(job.after_script.join('\n'), env);
    expect(after?.code ?? 0, after?.said).toBe(0);
    return { code: main.code, said: `${main.said}${after?.said ?? ''}` };
  }

  it('plan a merge request and comment on it, and apply exactly this plan after the merge', async () => {
    comments.length = 0;
    await lab
      .host('ocs1')
      .sh('firewall-cmd --permanent --zone=portfw-public --add-port=4444/tcp && firewall-cmd --reload');
    checkOut('ci');
    const planned = await runJob('plan');
    expect(planned.code, planned.said).toBe(0);
    expect(comments).toHaveLength(1);
    expect(comments[0]!.body).toContain('4444/tcp');
    const { artifacts: kept } = file['plan']!;
    expect(readFileSync(join(work, kept!.reports.junit), 'utf8')).toMatch(/<testsuites?[\s>]/);
    const plan = join(tmpdir(), `gitlab-plan-${process.pid}.json`);
    copyFileSync(join(work, kept!.paths[0]!), plan);
    artifacts.set('gitlab', plan);
    rmSync(work, { recursive: true });
    checkOut('ci');
    const applied = await runJob('apply');
    expect(applied.code, applied.said).toBe(0);
    expect(await lab.host('ocs1').sh('firewall-cmd --zone=portfw-public --list-ports')).not.toContain('4444');
    expect(asked.filter((one) => one.startsWith('PUT') || one.startsWith('PATCH')).length).toBeGreaterThan(0);
    rmSync(work, { recursive: true });
  });
});
