/**
 * What no text of a host or a file may bring to a terminal, into a message or into a file of a host's: C0 and C1 controls,
 * line and paragraph separators, zero-width, bidirectional and tag characters, annotation anchors, halves of characters, and
 * U+FFFE and U+FFFF, which no XML file may hold. Line feeds and tabs are among them: code that allows them says so.
 */
export const UNSAFE_CHARACTERS =
  /[\p{Cc}\p{Cs}\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\u{e0000}-\u{e007f}]/gu;
