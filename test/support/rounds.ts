/** How often what goes round is done: `ROUNDS`, or once. `npm run test:rolling` does it ten times. */
export const rounds = Number(process.env['ROUNDS'] ?? 1);

/** Long enough for so many rounds on a machine that is busy with other things. */
export const roundsMsMax = 120_000 + rounds * 60_000;
