import { readFileSync, writeFileSync, existsSync, unlinkSync } from 'node:fs';
import { startLab } from '../lab/lab.ts';
import { openSession } from '../lab/owner.ts';
import { instrument } from './instrument.ts';
import { Stand } from './stand.ts';
import { writeWishes } from './wishes.ts';
// dev only
openSession();
const Q = '/tmp/faults/queue';
const SC = (process.argv[3] ?? 'first,change,rollback').split(',') as any;
const lab = await startLab({ name: 'faults', hosts: [{ name: 'old', suite: 'bullseye', networks: ['public'] }, { name: 'middle', suite: 'bookworm', networks: ['public'] }, { name: 'young', suite: 'trixie', networks: ['public'] }] });
try {
  const builds = await instrument(lab.directory, process.argv[2]!);
  const inv = await writeWishes(lab);
  const stands = new Map<string, Stand>();
  await Promise.all(lab.hosts.map(async (host) => { const s = new Stand(lab, host, builds, inv); const t = performance.now(); await s.prepare(SC); stands.set(host.name, s); console.log('prepared', host.name, Math.round(performance.now()-t)); }));
  for (let n = 0; ; n++) {
    while (!existsSync(Q)) await new Promise((r) => setTimeout(r, 200));
    const text = readFileSync(Q, 'utf8'); unlinkSync(Q);
    if (text.trim() === 'stop') break;
    const [drillm, cat] = await Promise.all([import(`./drill.ts?n=${n}`), import(`./catalogue.ts?n=${n}`)]);
    await Promise.all([...stands].map(async ([name, s]) => {
      Object.setPrototypeOf(s, (await import(`./stand.ts?n=${n}`)).Stand.prototype === undefined ? Stand.prototype : Stand.prototype);
      for (const line of text.split('\n')) {
        const [hosts, fault, step, scenario, window] = line.split(';');
        if (!hosts || (hosts !== 'all' && hosts !== name)) continue;
        const t = performance.now();
        try {
          const r = await drillm.carryOut(s, { fault: cat.FAULTS[fault!], step, scenario }, Number(window ?? 10));
          console.log(name, `${r.fault} | ${step} | ${scenario} | ${r.outcome} ${r.seconds.toFixed(1)} | said ${r.said} | took ${((performance.now()-t)/1000).toFixed(1)}`, r.problems.length ? '\n   ' + r.problems.join('\n   ') : '');
        } catch (e) { console.log(name, fault, step, scenario, 'THREW', e); }
      }
      console.log(name, 'done', n);
    }));
  }
} finally { await lab.stop(); }
