/** Writes `docs/evidence/compatibility.md` from the titles of the tests; run it after adding or renaming one. */
import { writeFileSync } from 'node:fs';
import { compatibilityPage } from './compatibility-page.ts';

writeFileSync(new URL('../../docs/evidence/compatibility.md', import.meta.url), compatibilityPage());
