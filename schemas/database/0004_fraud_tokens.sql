-- One report in flight per token. Tokens are locked in key order after the tasks and purchases that
-- they are locked for; other tasks are only ever taken where nobody holds them.

-- Locks the tokens of purchases, in key order; which they are.
create function fleet_token_lock(p_purchase uuid[]) returns bytea[]
language sql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
    select array_agg(k.token_hash) from (
        select k.token_hash from fraud_token k
        where k.token_hash in (select r.token_hash from fraud_report r
                               where r.purchase = any (p_purchase))
        order by k.token_hash for update) k
$$;

-- Which of the reports that are to be claimed may have their token. The others wait: for the end of
-- the claim that holds it, which makes the oldest of them due at once, or for its lease.
create function fleet_token_take_v1(
    p_purchase uuid[], p_token uuid[], p_lease_ms bigint[], p_verdict text[], p_now timestamptz
) returns text[] language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
declare
    v_waits uuid[];
begin
    perform fleet_token_lock(array(
        select ask.purchase from unnest(p_purchase, p_verdict) as ask (purchase, verdict)
        where ask.verdict = 'claim'));

    with wanted as (
        select ask.purchase, ask.token, r.token_hash, r.waits_since, k.busy_until, open.is_open,
               open.is_open and row_number() over next = 1 as takes,
               -- That of the claim which takes it.
               p_now + first_value(ask.lease_ms) over next * interval '1 millisecond' as lease
        from unnest(p_purchase, p_token, p_lease_ms, p_verdict)
             as ask (purchase, token, lease_ms, verdict)
        join fraud_report r on r.purchase = ask.purchase
        join fraud_token k on k.token_hash = r.token_hash
        cross join lateral (
            select k.busy_until is null or k.busy_until <= p_now
                   or coalesce(k.promised_to = ask.purchase, false) as is_open) open
        where ask.verdict = 'claim'
        window next as (partition by r.token_hash, open.is_open
                        order by r.waits_since nulls last, ask.purchase)
    ), taken as (
        -- What is about to be told counts from before it leaves: an answer may get lost.
        update fraud_token k
        set busy_with = w.token, promised_to = null, busy_until = w.lease,
            success_due = k.success_due or p.dispense_state = 'dispensed'
        from wanted w
        join purchase p on p.purchase = w.purchase
        where w.takes and k.token_hash = w.token_hash
    ), told as (
        update fraud_report r
        set waits_since = case when w.takes then null else coalesce(r.waits_since, p_now) end
        from wanted w
        where r.purchase = w.purchase and (not w.takes or r.waits_since is not null)
    ), held as (
        update task t
        set state = 3, due_at = case when w.is_open then w.lease else w.busy_until end
        from wanted w
        where not w.takes and t.purchase = w.purchase and t.kind + 0 = 7 and t.slot + 0 = 0
    )
    select array_agg(w.purchase) into v_waits from wanted w where not w.takes;

    if v_waits is null then
        return p_verdict;
    end if;
    return (select array_agg(case when ask.verdict = 'claim' and ask.purchase = any (v_waits)
                                  then 'not_due' else ask.verdict end order by ask.i)
            from unnest(p_purchase, p_verdict) with ordinality as ask (purchase, verdict, i));
end $$;

-- The claims that end give their tokens free, each to the report that waits the longest: for ten
-- seconds nobody else may have it. A success that was told is never turned back.
create function fleet_token_give_v1(
    p_purchase uuid[], p_token uuid[], p_verdict smallint[], p_track text[], p_success boolean[],
    p_now timestamptz
) returns void language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
declare
    v_hash constant bytea[] := fleet_token_lock(p_purchase);
begin
    if v_hash is null then
        return;
    end if;

    update fraud_token k
    set told = case when k.told = 'success_sent' or t.success then 'success_sent'
                    when t.anything then 'failed_sent' else k.told end,
        success_due = k.success_due or t.success,
        busy_until = case when k.busy_with = any (t.claims) then null else k.busy_until end,
        busy_with = case when k.busy_with = any (t.claims) then null else k.busy_with end
    from (select r.token_hash, array_agg(c.token) as claims,
                 coalesce(bool_or(c.verdict = 1 and c.track = 'reported'), false) as anything,
                 coalesce(bool_or(c.verdict = 1 and c.track = 'reported' and c.success), false)
                     as success
          from unnest(p_purchase, p_token, p_verdict, p_track, p_success)
               as c (purchase, token, verdict, track, success)
          join fraud_report r on r.purchase = c.purchase
          group by r.token_hash) t
    where k.token_hash = t.token_hash;

    with next as (
        select distinct on (r.token_hash) r.token_hash, r.purchase
        from fraud_token k
        join fraud_report r on r.token_hash = k.token_hash
        join task t on t.purchase = r.purchase and t.kind + 0 = 7 and t.slot + 0 = 0 and t.state in (1, 3)
        where k.token_hash = any (v_hash) and k.busy_until is null and r.waits_since is not null
        order by r.token_hash, r.waits_since, r.purchase
    ), promised as (
        update fraud_token k
        set promised_to = n.purchase, busy_until = p_now + interval '10 seconds'
        from next n where k.token_hash = n.token_hash
    ), woken as (
        select t.purchase from next n
        join task t on t.purchase = n.purchase and t.kind + 0 = 7 and t.slot + 0 = 0
        where t.state = 3
        for update of t skip locked
    )
    update task t set due_at = p_now from woken w
    where t.purchase = w.purchase and t.kind + 0 = 7 and t.slot + 0 = 0;
end $$;

-- What the desk said about tokens.
create function fleet_token_validated_v1(
    p_purchase uuid[], p_verdict smallint[], p_valid boolean[], p_threat bigint[], p_flags text[],
    p_now timestamptz
) returns void language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
begin
    perform fleet_token_lock(p_purchase);
    update fraud_token k
    set is_valid = c.valid, threat_code = c.threat, threat_flags = c.flags, validated_at = p_now
    from (select distinct on (r.token_hash) r.token_hash, c.valid, c.threat, c.flags
          from unnest(p_purchase, p_verdict, p_valid, p_threat, p_flags)
               as c (purchase, verdict, valid, threat, flags)
          join fraud_report r on r.purchase = c.purchase
          where c.verdict = 1 and c.valid is not null
          order by r.token_hash, c.valid) c
    where k.token_hash = c.token_hash;
end $$;
