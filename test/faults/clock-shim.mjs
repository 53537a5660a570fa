// Loaded before the command: its clock goes forward by a day on SIGUSR2 and back by one on SIGWINCH, as when somebody sets
// the machine's. What runs by the monotonic clock (timers, performance.now) does not notice, as on a real machine.
const DAY_MS = 86_400_000;
const RealDate = Date;
let shift = 0;

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + shift);
    else super(...args);
  }
  static now() {
    return RealDate.now() + shift;
  }
};
process.on('SIGUSR2', () => {
  shift += DAY_MS;
});
process.on('SIGWINCH', () => {
  shift -= DAY_MS;
});
