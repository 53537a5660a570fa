// Finds the plan that was made for what is merged now.
//
//   node find-plan.mjs
//
// In a workflow of GitHub it writes the run and the artifact's name to the step's outputs. In a job of GitLab it fetches the file,
// as change.plan.json. The token only reads. Needs Node 20 and nothing else.
import { appendFileSync, writeFileSync } from 'node:fs';

const { env } = process;

async function get(url, headers) {
  const answer = await fetch(url, {
    headers: { ...headers, 'user-agent': 'portfw-plan' },
    signal: AbortSignal.timeout(60_000),
  });
  if (!answer.ok) throw new Error(`GET ${url}: ${answer.status} ${(await answer.text()).slice(0, 300)}`);
  return answer;
}

async function onGitHub() {
  const repository = `${env.GITHUB_API_URL}/repos/${env.GITHUB_REPOSITORY}`;
  const headers = { authorization: `Bearer ${env.GITHUB_TOKEN}`, accept: 'application/vnd.github+json' };
  const json = async (path) => (await get(`${repository}/${path}`, headers)).json();
  const requests = await json(`commits/${env.GITHUB_SHA}/pulls`);
  const merged = requests.find((request) => request.merge_commit_sha === env.GITHUB_SHA && request.merged_at !== null);
  if (merged === undefined) throw new Error('this commit came from no pull request: plan and apply it by hand');
  const name = `portfw-plan-${merged.head.sha}`;
  const { artifacts } = await json(`actions/artifacts?name=${name}&per_page=100`);
  // Anybody may name an artifact so: only one of this repository's own workflow, for this very commit, counts.
  for (const { expired, workflow_run: made } of artifacts) {
    if (expired || made.head_sha !== merged.head.sha || made.head_repository_id !== made.repository_id) continue;
    const run = await json(`actions/runs/${made.id}`);
    if (run.event !== 'pull_request' || !run.path.startsWith('.github/workflows/portfw.yaml')) continue;
    appendFileSync(env.GITHUB_OUTPUT, `run=${made.id}\nname=${name}\n`);
    return `The plan of #${merged.number} is in run ${made.id}.`;
  }
  throw new Error(`no workflow planned ${merged.head.sha}, or its plan has expired: plan and apply it by hand`);
}

async function onGitLab() {
  const project = `${env.CI_API_V4_URL}/projects/${env.CI_PROJECT_ID}`;
  const headers = { 'private-token': env.PORTFW_READ_TOKEN };
  const json = async (path) => (await get(`${project}/${path}`, headers)).json();
  const requests = await json(`repository/commits/${env.CI_COMMIT_SHA}/merge_requests`);
  const merged = requests.find(({ state }) => state === 'merged');
  if (merged === undefined) throw new Error('this commit came from no merge request: plan and apply it by hand');
  const pipelines = await json(`merge_requests/${merged.iid}/pipelines`);
  const made = pipelines.find(({ sha, source }) => sha === merged.sha && source === 'merge_request_event');
  if (made === undefined) throw new Error(`no pipeline planned ${merged.sha}: plan and apply it by hand`);
  const jobs = await json(`pipelines/${made.id}/jobs?per_page=100`);
  const plan = jobs.find(({ name }) => name === 'plan');
  if (plan === undefined) throw new Error(`pipeline ${made.id} has no job "plan"`);
  const file = await (await get(`${project}/jobs/${plan.id}/artifacts/change.plan.json`, headers)).arrayBuffer();
  writeFileSync('change.plan.json', Buffer.from(file), { mode: 0o600 });
  return `The plan of !${merged.iid} (pipeline ${made.id}) is change.plan.json.`;
}

console.log(await (env.GITHUB_API_URL ? onGitHub() : onGitLab()));
