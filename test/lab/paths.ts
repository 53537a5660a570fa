import { fileURLToPath } from 'node:url';

/** Files the lab writes (keys, logs, locks); ignored by git. */
export const LAB_DIRECTORY = fileURLToPath(new URL('../../.lab/', import.meta.url));

/** What goes into the images. */
export const IMAGE_DIRECTORY = fileURLToPath(new URL('./image/', import.meta.url));
