/** From where a port of the host can be reached. */
export interface Comers {
  readonly who: 'anybody' | 'anybody-but' | 'these' | 'nobody';
  /** Networks: those that get in for `these`, those that do not for `anybody-but`. */
  readonly sources: readonly string[];
  /** How many further networks are left out of `sources`. */
  readonly more: number;
}
