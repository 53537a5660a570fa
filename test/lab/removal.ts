/** Removal of what somebody else has just removed, or is removing, is no failure; anything else is. */
export async function ignoreGone(removal: Promise<unknown>): Promise<void> {
  await removal.catch((error: { readonly statusCode?: number }) => {
    if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
  });
}
