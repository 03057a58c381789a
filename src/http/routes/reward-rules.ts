import { Type } from 'typebox';
import { purchase } from '../../domain/commands/purchase.ts';
import type { RewardRule, RewardRuleInput } from '../../domain/reward-rule.ts';
import type { CatalogEditor } from '../../execution/catalog-editor.ts';
import type { Reads } from '../../repository/repository.ts';
import { access } from '../access.ts';
import { answers, bodyErrors } from '../answers.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { operationTypes } from '../operations/index.ts';
import { pageOf } from '../page.ts';
import { invalidRequest, Problem } from '../problem.ts';
import { AssetQuantity, Assets, Identifier, Nullable, PageOf, paging, Quantity } from '../schemas.ts';
import type { TypedApp } from '../typed-app.ts';

const OperationType = Type.Enum(
  operationTypes.filter(({ earns }) => earns !== false).map(({ type }) => type),
  { description: 'The type of operation that earns.' },
);

const RuleBody = Type.Object(
  {
    on: Type.Object(
      {
        type: OperationType,
        listing: Type.Optional(
          Nullable(Identifier('Only purchases of this listing: `details.listing` of the receipt.')),
        ),
        asset: Type.Optional(
          Nullable(
            Identifier(
              'Only operations with an entry of this asset for the account that earns, whether it was given or taken.',
            ),
          ),
        ),
      },
      { additionalProperties: false, description: 'Which operations earn: those that all of it is true of.' },
    ),
    grant: Assets('What each of them earns; several lines of one asset add up.'),
    dailyLimit: Type.Optional(Nullable(Quantity)),
    enabled: Type.Boolean({
      default: true,
      description: 'A rule that is not enabled earns nothing. Enabled again, it is as one that was put anew.',
    }),
  },
  { additionalProperties: false },
);

const RuleAnswer = Type.Object(
  {
    id: Type.String(),
    on: Type.Object({
      type: Type.String(),
      listing: Nullable(Type.String()),
      asset: Nullable(Type.String()),
    }),
    grant: Type.Array(AssetQuantity),
    dailyLimit: Nullable(
      Type.Integer({ description: 'The most rewards by this rule that one account earns in a UTC day.' }),
    ),
    enabled: Type.Boolean(),
  },
  { $id: 'RewardRule' },
);

const RuleParams = Type.Object({ rule: Identifier('The reward rule.') });

/** The catalog's reward rules. What they give is granted by a consumer of the feed. */
export function rewardRuleRoutes(app: TypedApp, deps: { reads: Reads; catalogEditor: CatalogEditor }): void {
  const { reads, catalogEditor } = deps;

  app.put(
    '/v1/reward-rules/:rule',
    {
      config: { access: access.admins },
      schema: {
        tags: ['Catalog'],
        summary: 'Create or replace a reward rule',
        description:
          'Each operation that the rule is about, and that began after this was answered, earns its account the grant: in the background, soon after it was committed, exactly once, as an operation of type `reward` whose details name the rule, the operation and when that was (`rule`, `operation`, `earnedAt`). Who earns is the account that the operation belongs to: `account`, or `from`. Rewards earn no rewards. What does not fit (a stack limit, say) is set aside and reported to the operator.',
        params: RuleParams,
        body: RuleBody,
        response: answers({ 200: RuleAnswer, 201: RuleAnswer }, [
          'asset_not_found',
          'listing_not_found',
          'busy',
          ...bodyErrors,
        ]),
      },
    },
    async (request, reply) => {
      const rule = ruleInput(request.params.rule, request.body);
      const put = await catalogEditor.putRewardRule(rule);
      if (put.kind === 'rejected') throw Problem.rejected(put);
      return await reply.code(put.created ? 201 : 200).send(shown(rule));
    },
  );

  app.get(
    '/v1/reward-rules/:rule',
    {
      config: { access: access.everyone },
      schema: {
        tags: ['Catalog'],
        summary: 'One reward rule',
        params: RuleParams,
        response: answers({ 200: RuleAnswer }, ['reward_rule_not_found']),
      },
    },
    async ({ params: { rule } }) => {
      const found = await reads.rewardRule(rule);
      if (found !== undefined) return shown(found);
      const detail = `reward rule ${rule} is not in the catalog`;
      throw new Problem('reward_rule_not_found', { detail, members: { rule } });
    },
  );

  app.get(
    '/v1/reward-rules',
    {
      config: { access: access.everyone },
      schema: {
        tags: ['Catalog'],
        summary: 'The reward rules',
        description: 'In the order of their ids.',
        querystring: Type.Object(paging, { additionalProperties: false }),
        response: answers({ 200: PageOf(RuleAnswer) }, ['invalid_cursor']),
      },
    },
    async ({ query: { limit, cursor } }) => {
      const [after] = decodeCursor(cursor, 'reward rules', ['string']) ?? [null];
      const rows = await reads.rewardRules({ after, limit: limit + 1 });
      return pageOf(rows, limit, { item: shown, cursor: ({ id }) => encodeCursor('reward rules', id) });
    },
  );
}

function ruleInput(id: string, body: Type.Static<typeof RuleBody>): RewardRuleInput {
  const { on, grant, dailyLimit = null, enabled } = body;
  const { type, listing = null, asset = null } = on;
  if (listing !== null && type !== purchase.type) {
    const fault = { path: '/on/listing', message: `is for the type ${purchase.type}`, in: 'body' } as const;
    throw invalidRequest(`body ${fault.path} ${fault.message}`, [fault]);
  }
  return { id, on: { type, listing, asset }, grant, dailyLimit, enabled };
}

function shown({
  id,
  on,
  grant,
  dailyLimit,
  enabled,
}: RewardRuleInput | RewardRule): Type.Static<typeof RuleAnswer> {
  return { id, on: { ...on }, grant: [...grant], dailyLimit, enabled };
}
