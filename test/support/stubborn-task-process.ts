/** Preloaded into a replica: one more task of the kind that STUBBORN_KIND names, which heeds neither of its signals. */
import { BackgroundTasks, taskKinds, type TaskKind } from '../../src/lifecycle/background-tasks.ts';

const kind = taskKinds.find((each) => each === process.env['STUBBORN_KIND']);
if (kind === undefined) throw new Error('STUBBORN_KIND must be a kind of task');

/* eslint-disable @typescript-eslint/unbound-method -- put back as the method of the same class */
const start = BackgroundTasks.prototype.start;
let planted = false;
BackgroundTasks.prototype.start = function (this: BackgroundTasks, ...task: Parameters<typeof start>) {
  if (!planted) {
    planted = true;
    start.call(this, kind satisfies TaskKind, 'a stubborn task', async () => {
      await new Promise(() => setInterval(() => undefined, 1000));
    });
  }
  return start.apply(this, task);
};
