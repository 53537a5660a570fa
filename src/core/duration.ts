const UNITS = { s: 1, m: 60, h: 3600 } as const;

/**
 * A length of time as people write it: `90s`, `2m`, `1h`, or a plain number of seconds.
 *
 * @returns seconds, or `null` when the text is no such thing
 */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,6})([smh]?)$/.exec(text);
  if (match === null) return null;
  const unit = (match[2] === '' ? 's' : match[2]) as keyof typeof UNITS;
  return Number(match[1]) * UNITS[unit];
}

/**
 * Seconds as a person reads them: `45 s`, `2 min 5 s`, `1 h 10 min`.
 *
 * @param decimals for times below a minute: 1 gives `4.2 s`
 */
export function durationText(seconds: number, decimals = 0): string {
  const precise = seconds.toFixed(decimals);
  if (Number(precise) < 60) return `${precise} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
