import { Type } from 'typebox';
import { discrepancyKinds, type DiscrepancyKind } from '../../domain/verification.ts';
import type { VerificationRecord } from '../../repository/verifications.ts';
import { reportOf } from '../../verification/report.ts';
import type { Verifications } from '../../verification/verifications.ts';
import { access, callerOf } from '../access.ts';
import { answers, bodyErrors } from '../answers.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { pageOf } from '../page.ts';
import { Problem } from '../problem.ts';
import { Nullable, PageOf, paging } from '../schemas.ts';
import type { TypedApp } from '../typed-app.ts';

/** What a list shows of each verification's discrepancies. */
const discrepanciesListed = 10;
/** As nginx logs it: the client closed the request. Nobody receives it. */
const clientClosedRequest = 499;

const Kind = Type.Enum(Object.keys(discrepancyKinds) as DiscrepancyKind[], {
  description: Object.entries(discrepancyKinds)
    .map(([kind, meaning]) => `\`${kind}\`: ${meaning}`)
    .join('\n'),
});

const Discrepancy = Type.Object({
  kind: Kind,
  where: Type.Object(
    {
      account: Type.Optional(Type.String()),
      asset: Type.Optional(Type.String()),
      version: Type.Optional(Type.Integer()),
      operation: Type.Optional(Type.String()),
      listing: Type.Optional(Type.String()),
    },
    { description: 'As much of it as can be said.' },
  ),
  expected: Type.Unknown({ description: 'What the rest of the ledger says it should be.' }),
  found: Type.Unknown({ description: 'What it is.' }),
  message: Type.String({ description: 'The same in a sentence.' }),
});

const Count = Type.Integer({ minimum: 0 });

const VerificationAnswer = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    startedAt: Type.String({ format: 'date-time' }),
    finishedAt: Type.String({ format: 'date-time' }),
    durationMs: Count,
    actor: Type.String({ description: 'Who asked for it.' }),
    sound: Type.Boolean({ description: 'Whether there are no discrepancies.' }),
    counts: Type.Object(
      {
        accounts: Count,
        holdings: Count,
        entries: Count,
        operations: Count,
        listings: Count,
        purchaseCounts: Count,
      },
      { description: 'How many of each were checked.' },
    ),
    discrepancyCount: Type.Integer({ minimum: 0, description: 'How many there are in all.' }),
    discrepancies: Type.Array(Discrepancy, {
      description: 'Of very many, the first ones.',
    }),
  },
  { $id: 'Verification' },
);

/** Checking the whole ledger, and what came of it earlier. */
export function verificationRoutes(app: TypedApp, { verifications }: { verifications: Verifications }): void {
  app.post(
    '/v1/verifications',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'Check the whole ledger',
        description: `Every holding, entry, version, receipt and stock against all the others, while the service goes on; what is written meanwhile is never taken for a discrepancy. 201 with the result, which is kept; a ledger that is not sound is a result as well. It takes some two minutes for each million operations: let the client wait long enough. It ends, and nothing is kept, when the client goes away.

One at a time on each replica: 503 \`busy\` while another runs there, because its result would not cover what was written since it began.`,
        body: Nullable(Type.Object({}, { additionalProperties: false })),
        response: answers({ 201: VerificationAnswer }, ['busy', ...bodyErrors], {
          location: Type.String({ description: 'Where the result can be had again.' }),
        }),
      },
    },
    async (request, reply) => {
      const gone = new AbortController();
      // Not the request's own signal: that aborts as soon as the body has been read.
      reply.raw.once('close', () => {
        gone.abort();
      });
      const outcome = await verifications.run(callerOf(request).actor, gone.signal);
      switch (outcome.kind) {
        case 'done':
          return await reply
            .code(201)
            .header('location', `/v1/verifications/${outcome.record.id}`)
            .send(shown(outcome.record));
        case 'busy':
          throw new Problem('busy', { detail: 'another verification is under way on this replica' });
        case 'stopping':
          throw new Problem('shutting_down');
        case 'abandoned':
          return await reply.code(clientClosedRequest).send();
      }
    },
  );

  app.get(
    '/v1/verifications/:id',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'The result of a verification',
        params: Type.Object({ id: Type.String({ format: 'uuid', description: 'The verification.' }) }),
        response: answers({ 200: VerificationAnswer }, ['not_found']),
      },
    },
    async (request) => {
      const id = request.params.id.toLowerCase();
      const record = await verifications.find(id);
      if (record === undefined)
        throw new Problem('not_found', {
          detail: `there is no verification ${id}`,
          members: { verification: id },
        });
      return shown(record);
    },
  );

  app.get(
    '/v1/verifications',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Administration'],
        summary: 'The verifications there were',
        description: `Newest first; of each one’s discrepancies the first ${discrepanciesListed}.`,
        querystring: Type.Object(paging, { additionalProperties: false }),
        response: answers({ 200: PageOf(VerificationAnswer) }, ['invalid_cursor']),
      },
    },
    async ({ query: { limit, cursor } }) => {
      const place = decodeCursor(cursor, 'verifications', ['number', 'string']);
      const before = place === null ? null : { startedAtMs: place[0], id: place[1] };
      const rows = await verifications.list({
        before,
        limit: limit + 1,
        discrepanciesMax: discrepanciesListed,
      });
      return pageOf(rows, limit, {
        item: shown,
        cursor: ({ startedAtMs, id }) => encodeCursor('verifications', startedAtMs, id),
      });
    },
  );
}

function shown(record: VerificationRecord): Type.Static<typeof VerificationAnswer> {
  const { startedAt, finishedAt, durationMs, discrepancies, ...result } = reportOf(record);
  const { id, actor } = record;
  return { id, startedAt, finishedAt, durationMs, actor, ...result, discrepancies: [...discrepancies] };
}
