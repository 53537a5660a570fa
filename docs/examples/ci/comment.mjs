// Posts a review on a pull request of GitHub or a merge request of GitLab, or updates the one that it posted before.
//
//   node comment.mjs plan.md
//
// The first line of the file is a marker that nobody sees: `portfw plan --format markdown` writes it. A comment of this account
// that begins with the marker is updated; others are left alone. Needs Node 20 and nothing else.
import { readFileSync } from 'node:fs';

const { env } = process;
const body = readFileSync(process.argv[2] ?? 'plan.md', 'utf8');
const marker = body.split('\n', 1)[0];
if (!/^<!-- portfw:[a-z-]+ -->$/.test(marker)) throw new Error('the file does not begin with the marker of portfw');

/** What differs between the two: where the comments are, and how an account is told. */
function forge() {
  if (env.GITHUB_API_URL) {
    const repository = `${env.GITHUB_API_URL}/repos/${env.GITHUB_REPOSITORY}`;
    return {
      comments: `${repository}/issues/${number(env.PULL_REQUEST)}/comments`,
      one: (id) => `${repository}/issues/comments/${id}`,
      update: 'PATCH',
      headers: { authorization: `Bearer ${env.GITHUB_TOKEN}`, accept: 'application/vnd.github+json' },
      // The token of a workflow is always this account's.
      me: async () => env.COMMENTER ?? 'github-actions[bot]',
      author: (comment) => comment.user?.login,
    };
  }
  if (env.CI_API_V4_URL) {
    const project = `${env.CI_API_V4_URL}/projects/${number(env.CI_PROJECT_ID)}`;
    const notes = `${project}/merge_requests/${number(env.CI_MERGE_REQUEST_IID)}/notes`;
    return {
      comments: notes,
      one: (id) => `${notes}/${id}`,
      update: 'PUT',
      headers: { 'private-token': env.PORTFW_COMMENT_TOKEN },
      me: async () => (await call('GET', `${env.CI_API_V4_URL}/user`)).data.username,
      author: (comment) => comment.author?.username,
    };
  }
  throw new Error('this is neither a workflow of GitHub nor a job of GitLab');
}

function number(text) {
  if (!/^[0-9]{1,15}$/.test(text ?? '')) throw new Error(`not a number: ${text}`);
  return text;
}

const { comments, one, update, headers, me, author } = forge();

async function call(method, url, content) {
  const answer = await fetch(url, {
    method,
    headers: { ...headers, 'content-type': 'application/json', 'user-agent': 'portfw-comment' },
    body: content === undefined ? undefined : JSON.stringify(content),
    signal: AbortSignal.timeout(30_000),
  });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${(await answer.text()).slice(0, 300)}`);
  return { data: await answer.json(), next: /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1] };
}

async function earlier() {
  const account = await me();
  for (let page = `${comments}?per_page=100`; page !== undefined; ) {
    const { data, next } = await call('GET', page);
    const found = data.find((comment) => author(comment) === account && comment.body?.startsWith(marker));
    if (found !== undefined) return found;
    // The token goes to this server only, whatever the answer says.
    page = next !== undefined && new URL(next).origin === new URL(comments).origin ? next : undefined;
  }
  return undefined;
}

const before = await earlier();
if (before === undefined) await call('POST', comments, { body });
else await call(update, one(before.id), { body });
console.log(before === undefined ? 'The comment was posted.' : 'The comment was updated.');
