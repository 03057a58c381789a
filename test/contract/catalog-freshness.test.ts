import { beforeAll, expect, test } from 'vitest';
import { lines, type Api } from '../support/api.ts';
import { expectProblem, ok, receipt, type Listing } from '../support/resources.ts';
import { serveMarketPair } from '../support/served-market.ts';

// A change that was answered by one replica is never missed by an operation that starts on another.

let one: Api;
let two: Api;

beforeAll(async () => {
  [one, two] = await serveMarketPair();
  for (const buyer of ['buyer', 'crowd', 'noise', 'switcher'])
    ok(await one.grant(buyer, { gold: 1_000_000_000 }), 201);
});

/** Both replicas, each in its turn as the one that changes. */
function turn(i: number): { changes: Api; uses: Api } {
  return i % 2 === 0 ? { changes: one, uses: two } : { changes: two, uses: one };
}

/** Keeps both replicas busy with purchases of something else while the work is done. */
async function amidNoise(work: () => Promise<void>): Promise<void> {
  let working = true;
  const noise = Array.from({ length: 4 }, async (_, i) => {
    while (working) ok(await (i % 2 === 0 ? one : two).purchase('noise', 'sword'), 201);
  });
  try {
    await work();
  } finally {
    working = false;
    await Promise.all(noise);
  }
}

const goods = lines({ xp: 1 });

test('a new price is the one that is paid', async () => {
  ok(await one.put('/v1/listings/priced', { price: lines({ gold: 1 }), goods }), 201);
  await amidNoise(async () => {
    for (let i = 0; i < 20; i += 1) {
      const { changes, uses } = turn(i);
      const price = lines({ gold: 1000 + i });
      ok(await changes.put('/v1/listings/priced', { price, goods }));
      const answers = await Promise.all([
        uses.purchase('buyer', 'priced'),
        uses.post('/v1/purchases', { account: 'crowd', listing: 'priced', expectedPrice: price }),
        changes.purchase('buyer', 'priced'),
      ]);
      for (const answer of answers)
        expect(receipt(answer).entries[0], `change ${i}`).toMatchObject({
          asset: 'gold',
          delta: -(1000 + i),
        });
    }
  });
});

test('a listing that becomes limited or unlimited is so at once', async () => {
  ok(await one.put('/v1/listings/switched', { price: [], goods }), 201);
  await amidNoise(async () => {
    for (let i = 0; i < 25; i += 1) {
      const { changes, uses } = turn(i);
      // What was sold while it was limited before counts as sold: each time one unit more is offered.
      const limited = ok<Listing>(
        await changes.put('/v1/listings/switched', { price: [], goods, stock: i + 1 }),
      );
      expect(limited).toMatchObject({ stock: i + 1, remaining: 1 });
      receipt(await uses.purchase('switcher', 'switched'));
      expectProblem(await changes.purchase('switcher', 'switched'), 409, 'out_of_stock', { remaining: 0 });
      expectProblem(await uses.purchase('switcher', 'switched'), 409, 'out_of_stock', { remaining: 0 });
      ok(await uses.put('/v1/listings/switched', { price: [], goods, stock: null }));
      receipt(await changes.purchase('switcher', 'switched', 5));
    }
  });
});

test('purchases under way while a listing becomes limited never sell more than there is', async () => {
  ok(await one.put('/v1/listings/contended', { price: [], goods }), 201);
  for (let i = 0; i < 10; i += 1) {
    const { changes, uses } = turn(i);
    const before = Array.from({ length: 10 }, () => uses.purchase('switcher', 'contended'));
    const stock = 5 * (i + 1);
    ok(await changes.put('/v1/listings/contended', { price: [], goods, stock }));
    const after = await Promise.all(
      Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? one : two).purchase('switcher', 'contended')),
    );
    await Promise.all(before);
    expect(after.filter(({ status }) => status === 201).length).toBeLessThanOrEqual(5);
    expect(ok<Listing>(await uses.get('/v1/listings/contended'))).toMatchObject({ stock, remaining: 0 });
    ok(await changes.put('/v1/listings/contended', { price: [], goods, stock: null }));
  }
});

test('an asset can be granted through the other replica as soon as it is there', async () => {
  for (let i = 0; i < 30; i += 1) {
    const { changes, uses } = turn(i);
    ok(await changes.put(`/v1/assets/new.${i}`, { name: 'New', kind: 'item' }), 201);
    receipt(await uses.grant('buyer', { [`new.${i}`]: 1 }));
  }
});

test('what an asset allows holds at once', async () => {
  ok(await one.put('/v1/assets/pearl', { name: 'Pearl', kind: 'item' }), 201);
  receipt(await one.grant('diver', { pearl: 1000 }));
  for (let i = 0; i < 20; i += 1) {
    const { changes, uses } = turn(i);
    const put = (rest: object): Promise<unknown> =>
      changes.put('/v1/assets/pearl', { name: 'Pearl', kind: 'item', ...rest }).then((answer) => ok(answer));
    await put({ tradable: false });
    expectProblem(await uses.transfer('diver', 'jeweller', { pearl: 1 }), 409, 'not_tradable');
    await put({ tradable: true });
    receipt(await uses.transfer('diver', 'jeweller', { pearl: 1 }));
    expectProblem(await uses.sell('diver', 'pearl', 1), 409, 'not_sellable');
    await put({ sellPrice: lines({ gold: 10 + i }) });
    expect(receipt(await uses.sell('diver', 'pearl', 1)).entries[0]).toMatchObject({
      asset: 'gold',
      delta: 10 + i,
    });
    await put({ stackLimit: i + 1 });
    expectProblem(await uses.grant(`pupil.${i}`, { pearl: i + 2 }), 409, 'stack_limit_exceeded');
  }
});

test('a listing that opens or closes does so at once', async () => {
  ok(await one.put('/v1/listings/hours', { price: [], goods }), 201);
  for (let i = 0; i < 20; i += 1) {
    const { changes, uses } = turn(i);
    ok(await changes.put('/v1/listings/hours', { price: [], goods, closesAt: '2020-01-01T00:00:00.000Z' }));
    expectProblem(await uses.purchase('buyer', 'hours'), 409, 'listing_closed');
    ok(await changes.put('/v1/listings/hours', { price: [], goods }));
    receipt(await uses.purchase('buyer', 'hours'));
  }
});

test('reads through the other replica show the change as well', async () => {
  for (let i = 0; i < 30; i += 1) {
    const { changes, uses } = turn(i);
    const listing = ok(await changes.put('/v1/listings/priced', { price: lines({ gold: 5000 + i }), goods }));
    expect(ok(await uses.get('/v1/listings/priced'))).toEqual(listing);
    const asset = ok(await changes.put('/v1/assets/gold', { name: `Gold ${i}`, kind: 'currency' }));
    expect(ok(await uses.get('/v1/assets/gold'))).toEqual(asset);
    ok(await changes.put('/v1/assets/pearl', { name: 'Pearl', kind: 'item', tags: [`t${i}`] }));
    expect(ok(await uses.inventory('diver', `?tag=t${i}`))).toMatchObject({ holdings: [{ asset: 'pearl' }] });
  }
});
