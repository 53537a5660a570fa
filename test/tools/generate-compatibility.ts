/** Writes `docs/compatibility.md` from the titles of the tests; run it after adding or renaming one. */
import { writeFileSync } from 'node:fs';
import { compatibilityPage } from './compatibility-page.ts';

writeFileSync(new URL('../../docs/compatibility.md', import.meta.url), compatibilityPage());
