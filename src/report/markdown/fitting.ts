/** One piece of a document that stands or falls as a whole. */
export interface Piece {
  readonly text: string;
  /** The hosts that it is about. */
  readonly hosts: number;
}

/** The pieces for which there is room, and those for which there is none. */
export interface Fitted {
  readonly shown: readonly Piece[];
  readonly left: readonly Piece[];
  /** The characters that are used, a line end after each piece among them. */
  readonly used: number;
}

/** Takes pieces in their order as long as there is room. One that is too long does not keep the others out. */
export function fitted(pieces: readonly Piece[], room: number): Fitted {
  const shown: Piece[] = [];
  const left: Piece[] = [];
  let used = 0;
  for (const piece of pieces) {
    const size = piece.text.length + 1;
    if (used + size <= room) {
      shown.push(piece);
      used += size;
    } else left.push(piece);
  }
  return { shown, left, used };
}

/** The first form of the pieces that fits as a whole; else as much of the last form as fits. */
export function firstThatFits(forms: readonly (readonly Piece[])[], room: number): Fitted {
  const all = forms.map((pieces) => fitted(pieces, room));
  return all.find(({ left }) => left.length === 0) ?? all.at(-1)!;
}

/** The number of hosts that pieces are about. */
export function hostsOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { hosts }) => sum + hosts, 0);
}
