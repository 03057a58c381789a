import { expect, test } from 'vitest';
import { catalogOf } from '../../test/support/shop.ts';
import type { Catalog } from '../domain/catalog.ts';
import { UnavailableError } from '../repository/errors.ts';
import { CatalogCache } from './catalog-cache.ts';

test('it is loaded once, and again when it is told to', async () => {
  let loads = 0;
  const cache = new CatalogCache({
    catalog: () => {
      loads += 1;
      return Promise.resolve({ ...catalogOf([]), version: loads });
    },
  });
  expect((await cache.current()).version).toBe(1);
  expect((await cache.current()).version).toBe(1);
  expect((await cache.refresh()).version).toBe(2);
  expect((await cache.current()).version).toBe(2);
});

test('those who ask while it is being loaded share the load', async () => {
  const loading = Promise.withResolvers<Catalog>();
  let loads = 0;
  const cache = new CatalogCache({
    catalog: () => {
      loads += 1;
      return loading.promise;
    },
  });
  const asked = [cache.current(), cache.refresh(), cache.current()];
  loading.resolve({ ...catalogOf([]), version: 7 });
  expect((await Promise.all(asked)).map(({ version }) => version)).toEqual([7, 7, 7]);
  expect(loads).toBe(1);
});

test('a load that fails is passed on, and is not the last: what was loaded before stays', async () => {
  const answers = [
    () => Promise.reject(new UnavailableError('no database')),
    () => Promise.resolve(catalogOf([])),
    () => Promise.reject(new UnavailableError('no database again')),
  ];
  const cache = new CatalogCache({
    catalog: () => (answers.shift() ?? (() => Promise.reject(new Error())))(),
  });
  await expect(cache.current()).rejects.toThrow('no database');
  expect((await cache.current()).version).toBe(1);
  await expect(cache.refresh()).rejects.toThrow('no database again');
  expect((await cache.current()).version).toBe(1);
});
