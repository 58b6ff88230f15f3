-- What clients ask about a buyer's purchases, the refusal of similar ones, and access tokens.

-- These columns never change, so that updates of the row stay in place. Each purchase has a buyer: the
-- condition keeps a plan that was made on an empty table from taking it, and with it all of a client's
-- purchases, to find one by the client's reference.
create index purchase_buyer on purchase (client_id, source_hash, created_at)
    where source_hash is not null;

-- Which purchases of a batch are refused because a similar one (client, source, target, product,
-- amount) is in flight, and which that is. A reference that is stored already is never among them.
-- Two batches with similar ones take turns: the second sees what the first stored.
create function fleet_similar_v1(
    p_purchase uuid[], p_client bigint[], p_ref text[], p_product bigint[], p_amount bigint[],
    p_source_hash bytea[], p_target_hash bytea[], p_wanted boolean[], p_now timestamptz
) returns table (refused uuid[], similar_to uuid[])
language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
begin
    -- Before any row is written, and in one order for all: nobody waits in a ring.
    perform pg_advisory_xact_lock(l.key)
    from (select distinct hashtextextended(concat_ws(' ', a.client, encode(a.source, 'hex'),
                                                     encode(a.target, 'hex'), a.product, a.amount),
                                           72) as key
          from unnest(p_client, p_source_hash, p_target_hash, p_product, p_amount, p_wanted)
               as a (client, source, target, product, amount, wanted)
          where a.wanted
          order by key) l;

    return query
    with asked as (
        -- The same reference twice in a batch is one purchase.
        select distinct on (a.client, a.ref) a.*
        from unnest(p_purchase, p_client, p_ref, p_product, p_amount, p_source_hash, p_target_hash,
                    p_wanted) with ordinality
             as a (purchase, client, ref, product, amount, source, target, wanted, i)
        where a.wanted
          and not exists (select 1 from purchase p
                          where p.client_id = a.client and p.client_txn_ref = a.ref)
        order by a.client, a.ref, a.i
    ), judged as (
        select a.purchase, a.client, a.ref, flying.purchase as flying,
               first_value(a.purchase) over (
                   partition by a.client, a.source, a.target, a.product, a.amount
                   order by a.i) as winner
        from asked a
        left join lateral (
            select p.purchase from purchase p
            where p.client_id = a.client and p.source_hash = a.source
              and p.created_at > p_now - interval '30 days'
              and p.target_hash = a.target and p.product_id = a.product
              and p.purchase_amount = a.amount
              and p.reserve_state not in ('refused', 'failed')
              and p.dispense_state not in ('dispensed', 'failed')
            order by p.created_at desc limit 1) flying on true
    )
    select coalesce(array_agg(a.purchase), '{}'),
           coalesce(array_agg(coalesce(j.flying, j.winner)), '{}')
    from judged j
    join unnest(p_purchase, p_client, p_ref) as a (purchase, client, ref)
         on a.client = j.client and a.ref = j.ref
    where j.flying is not null or j.winner <> j.purchase;
end $$;

-- Access tokens made up to now are refused from now on; null when there is no such client.
create function fleet_revoke_tokens_v1(p_client bigint, p_reason text, p_actor text)
returns timestamptz
language plpgsql volatile as $$
declare
    v_from timestamptz;
    v_version bigint;
begin
    -- First, as imports do.
    perform 1 from directory_version for update;
    update client set tokens_valid_from = fleet_now() where client_id = p_client
    returning tokens_valid_from into v_from;
    if v_from is not null then
        update directory_version set version = version + 1 returning version into v_version;
        insert into directory_history (version, actor, reason, section, key, change_kind, fields)
        values (v_version, p_actor, p_reason, 'client', p_client::text, 'changed',
                '{"access_tokens": "changed"}');
    end if;
    return v_from;
end $$;
