-- Claim, commit, put back, free, fact and clock: one round trip each. Rows are locked in key order
-- before anything is written; only rows that pass the fence are written; every row gets a verdict.
-- States: 1 queued, 2 running, 3 waiting, 4 parked.
--
-- A plan is made once a connection and kept, perhaps since the tables were empty, or known to be: then all
-- ways to a row cost the same, and one that reads a whole table is as good as any. So no function that
-- goes by keys has such a way: neither a scan of a table nor of an index without a key in it (a bitmap
-- has one always), nor a merge. What would be a condition of the wrong index, or of the right one without
-- its first column, is written as an expression: tasks are named by `kind + 0` wherever their key is
-- known, because the index of due times is the clock's, and by `slot + 0` where the slot is a constant.

-- Whether facts of this source prove who tells them.
create function fleet_is_signed(p_source text) returns boolean language sql immutable as $$
    select split_part(p_source, ':', 1) not in ('mo_charge', 'card_payment')
$$;

-- The answer holds everything that a job is made of, read after the locks were taken: the caller's
-- own snapshot is older than they are. Each claim has a lease of its own, by what its lane calls. Of a
-- lane that may ask nobody now (`p_only_ends`) only those are claimed that may end without asking:
-- their start is over and nothing is out, a delivery's four days are over, or there are facts to
-- decide by. The others are `held`, and nothing is written of them.
create function fleet_claim_v1(
    p_kind smallint, p_purchase uuid[], p_slot integer[], p_lane integer[], p_token uuid[],
    p_lease_ms bigint[], p_only_ends boolean[], p_skip_locked boolean
) returns table (
    idx integer, verdict text, true_lane integer, claimed_at timestamptz,
    t_claims integer, t_tries integer, t_ref_no integer, t_former timestamptz, t_signals integer,
    t_start_by timestamptz, t_deadline_at timestamptz, about purchase,
    d_channel text, d_body bytea, d_state text, d_attempts integer, d_first_sent_at timestamptz,
    f_source text[], f_type text[], f_reference text[], f_status text[], f_external_id text[],
    f_body bytea[], f_received_at timestamptz[], f_asks integer[], f_asked_at timestamptz[],
    desk_token fraud_token
) language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
declare
    v_now constant timestamptz := fleet_now();
    v_locked integer[];
    v_verdict text[];
    v_facts uuid[];
begin
    if p_skip_locked then
        select array_agg(locked.i) into v_locked from (
            select ask.i::integer as i
            from (select u.*, p_kind as kind
                  from unnest(p_purchase, p_slot) with ordinality as u (purchase, slot, i)
                  offset 0) ask
            join task t on t.purchase = ask.purchase and t.kind + 0 = ask.kind and t.slot = ask.slot
            order by t.purchase, t.slot
            for update of t skip locked) locked;
    else
        select array_agg(locked.i) into v_locked from (
            select ask.i::integer as i
            from (select u.*, p_kind as kind
                  from unnest(p_purchase, p_slot) with ordinality as u (purchase, slot, i)
                  offset 0) ask
            join task t on t.purchase = ask.purchase and t.kind + 0 = ask.kind and t.slot = ask.slot
            order by t.purchase, t.slot
            for update of t) locked;
    end if;

    select array_agg(case
            when t.purchase is null then 'gone'
            when ask.i <> all (coalesce(v_locked, '{}')) then 'locked'
            when t.state = 2 and t.token = ask.token then 'again'
            when t.state = 4 then 'parked'
            when t.state = 3 then 'not_due'
            when t.state = 2 and t.lease > v_now then 'busy'
            when t.lane <> ask.lane then 'other_lane'
            when ask.only_ends
                 and not (t.sent_until is null and coalesce(v_now >= t.start_by, false)
                          or exists (select from fact f
                                     where f.purchase = t.purchase and f.kind = t.kind
                                       and f.slot = t.slot)
                          or p_kind in (5, 6) and exists (
                              select from delivery d
                              where d.purchase = t.purchase and d.slot = t.slot
                                and d.first_sent_at <= v_now - interval '4 days'))
                then 'held'
            else 'claim' end order by ask.i)
    into v_verdict
    from (select u.*, p_kind as kind
          from unnest(p_purchase, p_slot, p_lane, p_token, p_only_ends)
               with ordinality as u (purchase, slot, lane, token, only_ends, i) offset 0) ask
    left join task t on t.purchase = ask.purchase and t.kind + 0 = ask.kind and t.slot = ask.slot;

    if p_kind = 7 then
        v_verdict := fleet_token_take_v1(p_purchase, p_token, p_lease_ms, v_verdict, v_now);
    end if;

    -- Nothing may leave of an expired task of which nothing is out: sent_until stays empty.
    update task t
    set state = 2, token = ask.token, claims = t.claims + 1, lease = ask.lease,
        former_sent_until = t.sent_until,
        sent_until = case when t.sent_until is null and v_now >= t.start_by then null
                     else ask.lease end
    from (select u.*, p_kind as kind, v_now + u.lease_ms * interval '1 millisecond' as lease
          from unnest(v_verdict, p_purchase, p_slot, p_token, p_lease_ms)
               as u (verdict, purchase, slot, token, lease_ms)
          where u.verdict = 'claim' offset 0) ask
    where t.purchase = ask.purchase and t.kind + 0 = ask.kind and t.slot = ask.slot;

    -- Few tasks have facts.
    select array_agg(distinct f.purchase) into v_facts
    from fact f where f.purchase = any (p_purchase) and f.kind = p_kind;

    -- A claim run again with its own token: its row still says what the first one found.
    return query
    select ask.i::integer,
           case
               when ask.verdict not in ('claim', 'again') then ask.verdict
               when began.claimed >= t.start_by then 'expired'
               when t.former_sent_until is not null then 'resumed'
               else 'started' end,
           t.lane, coalesce(began.claimed, v_now), t.claims, t.tries, t.ref_no, t.former_sent_until,
           t.signals, t.start_by, t.deadline_at, p,
           d.channel, d.body_sealed, d.state, d.attempts, d.first_sent_at,
           f.source, f.fact_type, f.reference, f.status, f.external_id, f.body, f.received_at,
           f.asks, f.asked_at, k
    from (select u.*, p_kind as kind
          from unnest(v_verdict, p_purchase, p_slot, p_lease_ms)
               with ordinality as u (verdict, purchase, slot, lease_ms, i) offset 0) ask
    left join task t on t.purchase = ask.purchase and t.kind + 0 = ask.kind and t.slot = ask.slot
    left join lateral (select t.lease - ask.lease_ms * interval '1 millisecond' as claimed) began on true
    left join purchase p on ask.verdict in ('claim', 'again') and p.purchase = ask.purchase
    left join delivery d on p_kind in (5, 6) and ask.verdict in ('claim', 'again')
                        and d.purchase = ask.purchase and d.slot = ask.slot
    left join fraud_report r on p_kind in (7, 9) and r.purchase = p.purchase
    left join fraud_token k on k.token_hash = r.token_hash
    left join (
        select x.purchase, x.slot,
               array_agg(x.source order by x.nth) as source,
               array_agg(x.fact_type order by x.nth) as fact_type,
               array_agg(x.reference order by x.nth) as reference,
               array_agg(x.status order by x.nth) as status,
               array_agg(x.external_id order by x.nth) as external_id,
               array_agg(x.body_sealed order by x.nth) as body,
               array_agg(x.received_at order by x.nth) as received_at,
               array_agg(x.asks order by x.nth) as asks,
               array_agg(x.asked_at order by x.nth) as asked_at
        from (select y.*, row_number() over (partition by y.purchase, y.slot
                                             order by fleet_is_signed(y.source) desc, y.fact desc)
                          as nth
              from fact y
              where y.purchase = any (v_facts) and y.kind = p_kind) x
        where x.nth <= 100
        group by x.purchase, x.slot
    ) f on f.purchase = p.purchase and f.slot = ask.slot
    order by ask.i;
end $$;

-- Whether a fact about a charge is told in a word that no document has.
create function fleet_is_other_word(p_type text, p_status text) returns boolean
language sql immutable as $$
    select p_type = 'card_payment' and p_status not in ('success', 'failed')
           or p_type = 'mo_charge' and p_status ~ '^(success|error):'
$$;

-- What a contrary fact means for a track that has ended: null when it says nothing new. The
-- journal knows under which number the goods went out.
create function fleet_contradiction(
    p_source text, p_type text, p_status text, p_reference text, p_external text, p_purchase uuid
) returns text language sql stable as $$
    select case
        when p_type = 'vend' and p_status = '0000' and p.dispense_state = 'failed'
            then 'the supplier says dispensed, but the purchase had failed'
        when p_type = 'vend' and p_status = '0000' and p.dispense_state = 'dispensed'
             and p_reference <> vend.reference
            then 'the supplier says dispensed under a second vend reference'
        -- The answer of a call carries its claim's token there, not the supplier's reference.
        when p_type = 'vend' and p_status = '0000' and p.dispense_state = 'dispensed'
             and p_source <> 'call' and p_external <> '' and p_external <> p.supplier_ref
            then 'the supplier says dispensed twice under one vend reference'
        when p_type = 'vend'
             and p_status in ('2201', '2210', '2213', '2214', '2225', '2242')
             and p.dispense_state = 'dispensed' and p_reference = vend.reference
            then 'the supplier says refused, but the purchase had been dispensed'
        when p_type = 'reserve' and p_status = '0000' and p.reserve_state in ('refused', 'failed')
            then 'the funding source says reserved, but the purchase had ended without funds'
        -- Nobody signs these: a person asks the funding source first.
        when p_type in ('mo_charge', 'card_payment') and p_status in ('CHARGED', 'success')
             and p.reserve_state in ('refused', 'failed')
            then 'the buyer was charged, they say, but the purchase had ended without funds'
        when p_type in ('mo_charge', 'card_payment') and p_status in ('CHARGED', 'success')
             and p.reserve_state = 'charged' and p_external <> p.reservation
            then 'the buyer was charged twice, they say'
        -- It may tell of a charge that nobody knows of, or that money went back.
        when fleet_is_other_word(p_type, p_status)
             and (p.reserve_state in ('refused', 'failed')
                  or p.reserve_state = 'charged'
                     and (p_external not in ('', p.reservation)
                          or p_type = 'card_payment' and p_status like '%:%'))
            then 'they tell of a payment that has ended in a word of no document: ask the source'
        when p_type in ('mo_charge', 'card_payment') and not fleet_is_other_word(p_type, p_status)
             and p_status not in ('CHARGED', 'success', 'PIN_USED', 'PIN_EXPIRED', 'PIN_NOT_FOUND')
             and p.reserve_state = 'charged'
            then 'the charge failed, they say, but the funding source had confirmed it'
        -- A card gateway proves the status that it tells, not the type: a person asks it first.
        when p_type = 'card_sale' and p_status = 'sale:approved'
             and p.reserve_state in ('refused', 'failed')
            then 'the card was charged, but the purchase had ended without funds'
        when p_type = 'card_sale' and p_status = 'sale:approved'
             and p.reserve_state = 'charged' and p_external <> p.reservation
            then 'the card was charged twice'
        when p_type = 'card_sale' and p_status in ('reversal:approved', 'chargeback:approved')
             and p.reserve_state = 'charged'
            then 'the card payment was taken back by a ' || split_part(p_status, ':', 1)
        when p_type = 'card_sale' and p_status in ('sale:declined', 'sale:filtered', 'sale:error')
             and p.reserve_state = 'charged'
            then 'the sale failed, but the funding source had approved it'
        end
    from purchase p
    left join lateral (
        select p.purchase::text || '-' || lpad(j.ref_no::text, 4, '0') as reference
        from journal j
        where j.purchase = p.purchase and j.kind = 2 and j.outcome = 'dispensed'
        order by j.at desc limit 1) vend on true
    where p.purchase = p_purchase
$$;

-- A person has one case of each purchase and cause, however often it is told.
create function fleet_open_case(p_purchase uuid, p_cause text, p_now timestamptz) returns void
language plpgsql volatile as $$
begin
    -- Two cases of one purchase at the same time would take the same slot.
    perform 1 from purchase p where p.purchase = p_purchase for no key update;
    if exists (select 1 from task t
               where t.purchase = p_purchase and t.kind + 0 = 8 and t.park_cause = p_cause) then
        return;
    end if;
    insert into task (purchase, kind, slot, state, due_at, lane, client, park_class, park_cause,
                      at_risk_minor, at_risk_currency, parked_at, created_at)
    select p_purchase, 8, coalesce((select max(t.slot) + 1 from task t
                                    where t.purchase = p_purchase and t.kind + 0 = 8), 0),
           4, p_now + interval '1 day', 0, p.client_id, 'unknown_outcome', p_cause,
           p.purchase_amount + p.fee_amount, p.currency, p_now, p_now
    from purchase p where p.purchase = p_purchase;
    insert into journal (purchase, kind, outcome, detail)
    values (p_purchase, 8, 'case_opened', p_cause);
end $$;

-- Whether a source may speak of this part of a purchase: the connector that the purchase names for it,
-- or our own late answers.
create function fleet_may_tell(p_source text, p_purchase uuid, p_kind smallint) returns boolean
language sql stable as $$
    select coalesce((
        select p_source = 'call' or p_source = case
            when p_kind = 2 then 'supplier_callback:' || p.supplier
            when p_kind in (1, 3, 4) and p.funding <> 'client'
                then p.funding || ':' || p.funding_source end
        from purchase p where p.purchase = p_purchase), false)
$$;

-- Of one source's facts of nobody the newest 1000 are kept, besides those that a person decided about.
-- Each that becomes too old is looked at more than once, so that none is passed over by a lock.
create function fleet_bound_unmatched(p_source text) returns void language plpgsql volatile as $$
begin
    delete from fact f
    using (select u.fact from fact u
           where u.purchase is null and u.source = p_source
           order by u.fact desc offset 1000 limit 8 for update skip locked) old
    where f.fact = old.fact and not exists (select 1 from fact_decision d where d.fact = f.fact);
end $$;

-- Of one task's facts that nobody signs 64 are kept, besides what was paid for and what a person matched:
-- one gives way for each that comes. First those that were asked about in vain, but not what was
-- asked in the last minute, by which the source's budget is counted; of the others the first 32 and
-- the newest stay.
create function fleet_bound_unsigned(p_fact bigint, p_purchase uuid, p_kind smallint, p_slot integer)
returns void language plpgsql volatile as $$
declare
    v_now constant timestamptz := fleet_now();
begin
    delete from fact f
    using (
        select u.fact
        from (select x.fact, count(*) over () as total,
                     case when x.asked_at < v_now - interval '1 minute' then 0
                          when x.asked_at is not null then 2
                          when row_number() over (partition by x.asked_at is null
                                                  order by x.fact) > 32 then 1
                          else 3 end as rank
              from fact x
              join purchase p on p.purchase = x.purchase
              where x.purchase = p_purchase and x.kind = p_kind and x.slot = p_slot
                and not fleet_is_signed(x.source)
                and (x.external_id = '' or x.external_id is distinct from p.reservation)
                and not exists (select 1 from fact_decision d where d.fact = x.fact)) u
        where u.total > 64 and u.fact <> p_fact
        order by u.rank, u.fact
        limit 1) old
    where f.fact = old.fact;
end $$;

-- Stores a fact. Verdicts: stored, duplicate, unmatched. A waiting or parked task is queued. Of whoever
-- may not speak of the purchase it is one of nobody. One of nobody that comes again and names a
-- purchase by now becomes one of that.
create function fleet_fact_v1(
    p_source text, p_type text, p_reference text, p_status text, p_external text,
    p_purchase uuid, p_kind smallint, p_slot integer, p_meaning bytea, p_body bytea
) returns table (verdict text, woken_lane integer)
language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
declare
    v_now constant timestamptz := fleet_now();
    v_purchase constant uuid :=
        case when fleet_may_tell(p_source, p_purchase, p_kind) then p_purchase end;
    v_fact bigint;
    v_task task%rowtype;
    v_contrary text;
begin
    -- The task first, as everywhere: a commit that holds it must see this fact or be seen by it.
    select * into v_task from task t
    where t.purchase = v_purchase and t.kind + 0 = p_kind and t.slot = p_slot for update;
    insert into fact as f (source, fact_type, reference, status, external_id, purchase, kind, slot,
                           meaning, body_sealed, received_at)
    values (p_source, p_type, p_reference, p_status, p_external, v_purchase, p_kind, p_slot,
            p_meaning, p_body, v_now)
    on conflict on constraint fact_once do update
    set purchase = excluded.purchase, kind = excluded.kind, slot = excluded.slot,
        body_sealed = excluded.body_sealed
    where f.purchase is null and excluded.purchase is not null
      and not exists (select 1 from fact_decision d where d.fact = f.fact)
    returning f.fact into v_fact;
    if v_fact is null then
        return query select 'duplicate'::text, null::integer;
        return;
    end if;
    if v_purchase is null then
        perform fleet_bound_unmatched(p_source);
        return query select 'unmatched'::text, null::integer;
        return;
    end if;
    if not fleet_is_signed(p_source) then
        perform fleet_bound_unsigned(v_fact, v_purchase, p_kind, p_slot);
    end if;
    if v_task.purchase is not null then
        update task t
        set signals = t.signals + 1,
            state = case when t.state in (3, 4) then 1 else t.state end,
            due_at = case when t.state in (3, 4) then v_now + interval '10 seconds'
                     else t.due_at end,
            hinted_at = case when t.state in (3, 4) then v_now else t.hinted_at end,
            park_class = null, park_cause = null, parked_at = null,
            at_risk_minor = null, at_risk_currency = null
        where t.purchase = p_purchase and t.kind + 0 = p_kind and t.slot = p_slot;
        return query select 'stored'::text,
            case when v_task.state in (3, 4) then v_task.lane end;
        return;
    end if;
    v_contrary := fleet_contradiction(p_source, p_type, p_status, p_reference, p_external,
                                      p_purchase);
    if v_contrary is not null then
        perform fleet_open_case(p_purchase, v_contrary, v_now);
    end if;
    return query select 'stored'::text, null::integer;
end $$;

-- Commits a group. Verdicts: 1 done, 2 already, 3 fact first, 4 late, 5 late and gone.
-- Next: 1 finish, 2 now, 3 wait, 4 park, 5 wait until (p_wait_ms since the epoch). Sent: 0 clear, 1 keep, 2 restore. Tries: 0 keep, 1 count,
-- 2 restart.
create function fleet_commit_v1(
    p_kind smallint, p_purchase uuid[], p_slot integer[], p_token uuid[], p_signals integer[],
    p_definite boolean[], p_sent smallint[], p_sent_value timestamptz[], p_next smallint[],
    p_wait_ms bigint[], p_tries smallint[], p_new_ref boolean[], p_outcome text[], p_detail text[],
    p_park_class text[], p_park_cause text[], p_risk_minor bigint[], p_risk_currency text[],
    p_track text[], p_code text[], p_ref text[], p_hold_ms bigint[], p_vend_amount bigint[],
    p_voucher bytea[], p_settle_as text[], p_flag boolean[], p_http integer[],
    p_answer_type text[], p_answer_ref text[], p_answer_status text[], p_answer_body bytea[],
    f_i integer[], f_kind smallint[], f_slot integer[], f_lane integer[], f_start_by timestamptz[],
    f_deadline timestamptz[],
    d_i integer[], d_slot integer[], d_channel text[], d_body bytea[],
    l_i integer[], l_entry text[], l_amount bigint[], l_currency text[], p_own_code text[],
    p_case text[]
) returns table (idx integer, verdict smallint, db_now timestamptz)
language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
declare
    v_now constant timestamptz := fleet_now();
    v_verdict smallint[];
    v_moved boolean[];
    v_ref_no integer[];
    v_goes_on boolean;
    v_any_late boolean;
    v_late record;
begin
    perform 1
        from (select u.*, p_kind as kind from unnest(p_purchase, p_slot) as u (purchase, slot)
              offset 0) ask
        join task t on t.purchase = ask.purchase and t.kind + 0 = ask.kind and t.slot = ask.slot
        order by t.purchase, t.slot for update of t;
    if p_kind in (1, 2, 3, 9) then
        perform 1 from purchase p where p.purchase = any (p_purchase)
            order by p.purchase for no key update;
    end if;

    select array_agg(case
            when t.token = ask.token and t.state = 2 then
                case when t.signals <> ask.signals and not ask.definite then 3 else 1 end
            when exists (select 1 from journal j
                         where j.purchase = ask.purchase and j.token = ask.token) then 2
            when t.purchase is not null then 4
            else 5 end::smallint order by ask.i),
        array_agg(coalesce(t.signals <> ask.signals, false) order by ask.i),
        array_agg(coalesce(t.ref_no, 0) order by ask.i)
    into v_verdict, v_moved, v_ref_no
    from (select u.*, p_kind as kind
          from unnest(p_purchase, p_slot, p_token, p_signals, p_definite)
               with ordinality as u (purchase, slot, token, signals, definite, i) offset 0) ask
    left join task t on t.purchase = ask.purchase and t.kind + 0 = ask.kind and t.slot = ask.slot;

    v_goes_on := exists (select 1 from unnest(v_verdict, p_next) as c (verdict, next)
                         where c.verdict = 3 or c.verdict = 1 and c.next <> 1);
    v_any_late := v_verdict && '{3,4,5}';

    -- The tracks. A commit that a fact or another claim overtook still says "unknown" when that is
    -- what it learnt; it never takes back what is decided.
    if p_kind = 1 then
        update purchase p
        set reserve_state = c.track, reserve_code = coalesce(c.code, p.reserve_code),
            reservation = coalesce(c.ref, p.reservation),
            hold_expires_at = coalesce(v_now + make_interval(secs => c.hold_ms / 1000.0),
                                       p.hold_expires_at)
        from unnest(v_verdict, p_purchase, p_track, p_code, p_ref, p_hold_ms)
             as c (verdict, purchase, track, code, ref, hold_ms)
        where p.purchase = c.purchase and c.track is not null
          and (c.verdict = 1 or c.verdict in (3, 4) and c.track = 'reservation_unknown'
               and p.reserve_state in ('pending', 'buyer_asked'));
        insert into reservation_reference (client_id, reference, purchase)
        select p.client_id, c.ref, p.purchase
        from unnest(v_verdict, p_purchase, p_ref) as c (verdict, purchase, ref)
        join purchase p on p.purchase = c.purchase
        where c.verdict = 1 and c.ref is not null
        on conflict do nothing;
        -- A fact that came in between changes nothing about what was asked.
        if array_remove(p_own_code, null) <> '{}' then
            with asked as (
                select c.purchase, c.slot, c.asked
                from unnest(v_verdict, p_purchase, p_slot, p_own_code)
                     as c (verdict, purchase, slot, asked)
                where c.verdict in (1, 3) and c.asked <> ''
            ), there as (
                update fact f
                set asks = f.asks + 1, asked_at = v_now
                from asked a
                where f.purchase = a.purchase and f.kind = p_kind and f.slot = a.slot
                  and f.external_id = a.asked
                returning f.purchase, f.slot
            )
            -- It may have given way to others meanwhile: the source's budget is then counted by
            -- another one.
            update fact f
            set asked_at = v_now
            from asked a
            cross join lateral (
                select x.fact from fact x
                where x.purchase = a.purchase and x.kind = p_kind and x.slot = a.slot
                  and not fleet_is_signed(x.source)
                order by x.asked_at is null, x.fact desc limit 1) other
            where f.fact = other.fact and not exists (
                select from there t where t.purchase = a.purchase and t.slot = a.slot);
        end if;
        -- Banks hold: only who asks the buyer, or takes the money at once, has more to write.
        if p_track && '{charged,buyer_asked,reservation_unknown}' then
            perform fleet_charged_v1(p_purchase, v_verdict, p_track, p_ref, p_voucher);
        end if;
    elsif p_kind = 2 then
        if exists (
            select 1 from unnest(v_verdict, p_purchase, p_settle_as)
                     as c (verdict, purchase, settle_as)
            join purchase p on p.purchase = c.purchase
            where c.verdict = 1 and c.settle_as <> p.settle_as) then
            raise exception 'a settlement was decided before and is contradicted now'
                using errcode = 'P0001';
        end if;
        update purchase p
        set dispense_state = c.track, dispense_code = coalesce(c.code, p.dispense_code),
            supplier_code = coalesce(c.own_code, p.supplier_code),
            supplier_ref = coalesce(c.ref, p.supplier_ref),
            vend_amount = coalesce(c.vend_amount, p.vend_amount),
            voucher_sealed = coalesce(c.voucher, p.voucher_sealed),
            settle_as = coalesce(c.settle_as, p.settle_as)
        from unnest(v_verdict, p_purchase, p_track, p_code, p_ref, p_vend_amount, p_voucher,
                    p_settle_as, p_own_code)
             as c (verdict, purchase, track, code, ref, vend_amount, voucher, settle_as, own_code)
        where p.purchase = c.purchase and c.track is not null
          and (c.verdict = 1 or c.verdict in (3, 4) and c.track = 'dispense_unknown'
               and p.dispense_state in ('not_started', 'dispense_pending'));
    elsif p_kind in (3, 4) then
        update purchase p set settle_state = c.track
        from unnest(v_verdict, p_purchase, p_track) as c (verdict, purchase, track)
        where p.purchase = c.purchase and c.track is not null
          and (c.verdict = 1 or c.verdict in (3, 4) and c.track = 'settle_unknown'
               and p.settle_state in ('not_started', 'settle_refused'));
    elsif p_kind in (5, 6) then
        update delivery d
        set state = c.track, attempts = d.attempts + case when c.sent then 1 else 0 end,
            first_sent_at = coalesce(d.first_sent_at, to_timestamp(c.sent_ms / 1000.0)),
            last_sent_at = coalesce(to_timestamp(c.sent_ms / 1000.0), d.last_sent_at),
            last_status = coalesce(c.http, d.last_status)
        from unnest(v_verdict, p_purchase, p_slot, p_track, p_flag, p_hold_ms, p_http)
             as c (verdict, purchase, slot, track, sent, sent_ms, http)
        where c.verdict = 1 and c.track is not null
          and d.purchase = c.purchase and d.slot = c.slot;
        if p_track && '{failed,disabled}' then
            insert into undelivered as u (purchase, slot, client_id, channel, state, ended_at)
            select d.purchase, d.slot, d.client_id, d.channel, d.state, v_now
            from unnest(v_verdict, p_purchase, p_slot, p_track) as c (verdict, purchase, slot, track)
            join delivery d on d.purchase = c.purchase and d.slot = c.slot
            where c.verdict = 1 and c.track in ('failed', 'disabled')
            order by d.purchase, d.slot
            on conflict (purchase, slot) do update
            set state = excluded.state, ended_at = excluded.ended_at;
        end if;
    elsif p_kind = 7 then
        insert into fraud_report as r (purchase, state, success, reported_at, created_at)
        select c.purchase, c.track, c.success,
               case when c.track = 'reported' then v_now end, v_now
        from unnest(v_verdict, p_purchase, p_track, p_flag)
             as c (verdict, purchase, track, success)
        where c.verdict = 1 and c.track is not null
        on conflict (purchase) do update
        set state = excluded.state, success = coalesce(excluded.success, r.success),
            reported_at = coalesce(excluded.reported_at, r.reported_at);
    elsif p_kind = 9 then
        update purchase p
        set reserve_state = c.track, reserve_code = coalesce(c.code, p.reserve_code),
            reserve_word = coalesce(c.own_code, p.reserve_word)
        from unnest(v_verdict, p_purchase, p_track, p_code, p_own_code)
             as c (verdict, purchase, track, code, own_code)
        where p.purchase = c.purchase and c.verdict = 1 and c.track is not null
          and p.reserve_state = 'validating';
        perform fleet_token_validated_v1(p_purchase, v_verdict, p_flag, p_vend_amount, p_ref, v_now);
    end if;

    -- What has ended gets its place in the client's feed (0008).
    if p_kind in (1, 2, 9) and p_track && '{refused,failed,dispensed}' then
        insert into result (purchase, client_id, ended_at)
        select p.purchase, p.client_id, v_now
        from unnest(v_verdict, p_purchase, p_track) as c (verdict, purchase, track)
        join purchase p on p.purchase = c.purchase
        where c.verdict = 1 and c.track in ('refused', 'failed', 'dispensed')
          and (p.reserve_state in ('refused', 'failed') or p.dispense_state in ('dispensed', 'failed'))
        order by p.purchase
        on conflict do nothing;
    end if;

    -- The books. A step written twice is refused by the primary key, never overwritten.
    if cardinality(l_i) > 0 then
        insert into ledger_entry (purchase, step, entry, client_id, funding_source, currency, amount)
        select p.purchase, case l.entry when 'reserved' then 1 when 'captured' then 2
                                        when 'cancelled' then 2 when 'repaid' then 4 else 3 end,
               l.entry, p.client_id, p.funding_source, l.currency, l.amount
        from unnest(l_i, l_entry, l_amount, l_currency) as l (i, entry, amount, currency)
        join purchase p on p.purchase = p_purchase[l.i]
        where v_verdict[l.i] = 1;
    end if;
    if cardinality(d_i) > 0 then
        insert into delivery (purchase, slot, client_id, channel, body_sealed, created_at)
        select p.purchase, d.slot, p.client_id, d.channel, d.body, v_now
        from unnest(d_i, d_slot, d_channel, d_body) as d (i, slot, channel, body)
        join purchase p on p.purchase = p_purchase[d.i]
        where v_verdict[d.i] = 1
        on conflict do nothing;
    end if;

    -- The tasks: follow-ups, then the task itself.
    if cardinality(f_i) > 0 then
        insert into task (purchase, kind, slot, state, due_at, lane, client, hinted_at, start_by,
                          deadline_at, created_at)
        select p_purchase[f.i], f.kind, f.slot, 1, v_now + interval '10 seconds', f.lane, t.client,
               v_now, f.start_by, f.deadline_at, v_now
        from unnest(f_i, f_kind, f_slot, f_lane, f_start_by, f_deadline)
             as f (i, kind, slot, lane, start_by, deadline_at)
        join task t on t.purchase = p_purchase[f.i] and t.kind + 0 = p_kind
                       and t.slot = p_slot[f.i]
        where v_verdict[f.i] = 1
        order by p_purchase[f.i], f.kind, f.slot
        on conflict do nothing;
    end if;
    delete from task t
    using (select u.*, p_kind as kind
           from unnest(v_verdict, p_purchase, p_slot, p_next) as u (verdict, purchase, slot, next)
           where u.verdict = 1 and u.next = 1 offset 0) c
    where t.purchase = c.purchase and t.kind + 0 = c.kind and t.slot = c.slot;
    -- A definite answer is applied whatever came in between, but then the task is looked at again
    -- at once (the clock queues what waits and is due): the facts may say more than it knew.
    if v_goes_on then
        update task t
        set state = case when c.verdict = 3 or c.next = 2 then 1
                         when c.next in (3, 5) or c.moved then 3
                         else 4 end,
            due_at = case when c.verdict = 3 or c.next = 2 then v_now + interval '10 seconds'
                          when c.moved then v_now
                          when c.next = 3 then v_now + c.wait_ms * interval '1 millisecond'
                          when c.next = 5 then to_timestamp(c.wait_ms / 1000.0)
                          else v_now + interval '1 day' end,
            hinted_at = case when c.verdict = 3 or c.next = 2 then v_now else t.hinted_at end,
            token = null, claims = 0, lease = null, former_sent_until = null,
            -- Only what is applied may say that nothing is out any more.
            -- Kept: the exchange is over, so nothing of it leaves after this commit.
            sent_until = case when c.sent = 1 then least(t.sent_until, v_now)
                              when c.sent = 2 then c.sent_value
                              when c.verdict = 3 then coalesce(t.former_sent_until, t.sent_until) end,
            tries = case when c.verdict = 3 or c.tries = 0 then t.tries
                         when c.tries = 1 then t.tries + 1 else 0 end,
            ref_no = t.ref_no + case when c.verdict = 1 and c.new_ref then 1 else 0 end,
            park_class = case when c.parks then c.park_class end,
            park_cause = case when c.parks then c.park_cause end,
            at_risk_minor = case when c.parks then c.risk_minor end,
            at_risk_currency = case when c.parks then c.risk_currency end,
            parked_at = case when c.parks then v_now end
        from (select u.*, p_kind as kind, u.verdict = 1 and u.next = 4 and not u.moved as parks
              from unnest(v_verdict, v_moved, p_purchase, p_slot, p_next, p_wait_ms, p_sent,
                          p_sent_value, p_tries, p_new_ref, p_park_class, p_park_cause, p_risk_minor,
                          p_risk_currency)
                   as u (verdict, moved, purchase, slot, next, wait_ms, sent, sent_value, tries,
                         new_ref, park_class, park_cause, risk_minor, risk_currency)
              where u.verdict = 1 and u.next <> 1 or u.verdict = 3 offset 0) c
        where t.purchase = c.purchase and t.kind + 0 = c.kind and t.slot = c.slot;
    end if;

    insert into journal (purchase, kind, slot, token, ref_no, outcome, detail, sealed)
    select c.purchase, p_kind, c.slot, c.token, c.ref_no,
           case when c.verdict = 3 then 'fact_first' else c.outcome end, c.detail,
           case when c.park_class = 'our_fault' then c.answer_body end
    from unnest(v_verdict, p_purchase, p_slot, p_token, v_ref_no, p_outcome, p_detail,
                p_park_class, p_answer_body)
         as c (verdict, purchase, slot, token, ref_no, outcome, detail, park_class, answer_body)
    where c.verdict in (1, 3);

    if p_kind = 7 then
        perform fleet_token_give_v1(p_purchase, p_token, v_verdict, p_track, p_flag, v_now);
    end if;

    -- What went well by itself and still needs a person's eyes.
    if cardinality(array_remove(p_case, null)) > 0 then
        perform fleet_open_case(c.purchase, c.cause, v_now)
        from unnest(v_verdict, p_purchase, p_case) as c (verdict, purchase, cause)
        where c.verdict = 1 and c.cause is not null;
    end if;

    -- Facts that came in before the task ended, most of all while a definite answer ended it, are
    -- compared with what it ended as.
    if true = any (v_moved) or 0 < any (p_signals) then
        perform fleet_open_case(contrary.purchase, contrary.cause, v_now)
        from (select distinct c.purchase,
                     fleet_contradiction(f.source, f.fact_type, f.status, f.reference,
                                         f.external_id, c.purchase) as cause
              from unnest(v_verdict, v_moved, p_signals, p_purchase, p_slot, p_next, p_track,
                          p_ref)
                   as c (verdict, moved, signals, purchase, slot, next, track, ref)
              join fact f on f.purchase = c.purchase and f.kind = p_kind and f.slot = c.slot
              where c.verdict = 1 and (c.moved or c.signals > 0) and c.next = 1
                -- What was told in other words before it ended was asked about.
                and not (fleet_is_other_word(f.fact_type, f.status)
                         and (coalesce(c.track, '') in ('refused', 'failed')
                              or f.external_id in ('', coalesce(c.ref, ''))))) contrary
        where contrary.cause is not null;
    end if;

    -- Answers that nobody may apply any more, or not yet, are facts like any other's.
    if v_any_late then
        for v_late in
            select c.* from unnest(v_verdict, p_purchase, p_slot, p_token, p_answer_type, p_answer_ref,
                                   p_answer_status, p_answer_body)
                 as c (verdict, purchase, slot, token, type, ref, status, body)
            where c.verdict in (3, 4, 5) and c.type is not null
            order by c.purchase, c.slot
        loop
            if v_late.verdict = 3 then
                insert into fact (source, fact_type, reference, status, external_id, purchase, kind,
                                  slot, meaning, body_sealed, received_at)
                values ('call', v_late.type, v_late.ref, v_late.status, v_late.token::text,
                        v_late.purchase, p_kind, v_late.slot, '', v_late.body, v_now)
                on conflict do nothing;
                update task set signals = signals + 1
                where purchase = v_late.purchase and kind + 0 = p_kind and slot = v_late.slot;
            else
                perform 1 from fleet_fact_v1('call', v_late.type, v_late.ref, v_late.status,
                    v_late.token::text, v_late.purchase, p_kind, v_late.slot, '', v_late.body);
            end if;
        end loop;
    end if;

    return query select i, v_verdict[i], v_now from generate_subscripts(v_verdict, 1) as i;
end $$;

-- Hints that found no room: rows still queued wait, due now; the clock doles them out.
create function fleet_put_back_v1(p_kind smallint, p_purchase uuid[], p_slot integer[])
returns integer language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
declare
    v_now constant timestamptz := fleet_now();
    v_count integer;
begin
    with locked as (
        select t.purchase, t.kind, t.slot
        from (select u.*, p_kind as kind from unnest(p_purchase, p_slot) as u (purchase, slot)
              offset 0) ask
        join task t on t.purchase = ask.purchase and t.kind + 0 = ask.kind and t.slot = ask.slot
        where t.state = 1
        order by t.purchase, t.slot
        for update of t skip locked
    )
    update task t set state = 3, due_at = v_now
    from locked l
    where t.purchase = l.purchase and t.kind + 0 = l.kind and t.slot = l.slot;
    get diagnostics v_count = row_count;
    return v_count;
end $$;

-- Claims of which nothing has left: as if they had never been made.
create function fleet_free_v1(p_kind smallint, p_purchase uuid[], p_slot integer[], p_token uuid[])
returns integer language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
declare
    v_now constant timestamptz := fleet_now();
    v_count integer;
begin
    with locked as (
        select t.purchase, t.kind, t.slot
        from (select u.*, p_kind as kind
              from unnest(p_purchase, p_slot, p_token) as u (purchase, slot, token) offset 0) ask
        join task t on t.purchase = ask.purchase and t.kind + 0 = ask.kind and t.slot = ask.slot
        where t.state = 2 and t.token = ask.token
        order by t.purchase, t.slot
        for update of t
    )
    update task t
    set state = 3, due_at = v_now, claims = greatest(t.claims - 1, 0), token = null, lease = null,
        sent_until = t.former_sent_until, former_sent_until = null
    from locked l
    where t.purchase = l.purchase and t.kind + 0 = l.kind and t.slot = l.slot;
    get diagnostics v_count = row_count;
    if p_kind = 7 then
        perform fleet_token_give_v1(p_purchase, p_token, null, null, null, v_now);
    end if;
    return v_count;
end $$;

-- The clients that have something due in lanes of a kind, each with its turn: a lane's clients take
-- turns, beginning behind the one that had the last turn before. One step through the index for each
-- lane and client with a task, whatever it has: at most p_steps, then the look goes on from there.
create function fleet_turns_v1(
    p_kind smallint, p_lane integer[], p_room integer[], p_after bigint[], p_from_lane integer,
    p_from_client bigint, p_steps integer, p_now timestamptz
) returns table (lane integer, client bigint, room integer, turn bigint, clients bigint,
                 goes_on boolean)
language plpgsql stable set enable_seqscan = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    v_before constant bigint := -9223372036854775808;
    v_lanes integer[] := '{}';
    v_clients bigint[] := '{}';
    v_at integer := 1;
    v_lane integer := coalesce(p_from_lane, p_lane[1]);
    v_client bigint := coalesce(p_from_client, v_before);
    v_head record;
    v_goes_on boolean := true;
begin
    while p_lane[v_at] < v_lane loop
        v_at := v_at + 1;
    end loop;
    if p_lane[v_at] is null then
        return;
    end if;
    if p_lane[v_at] > v_lane then
        v_lane := p_lane[v_at];
        v_client := v_before;
    end if;
    for v_step in 1 .. p_steps loop
        select t.lane, t.client, t.due_at into v_head
        from task t
        where t.kind = p_kind and (t.lane, t.client) > (v_lane, v_client)
        order by t.lane, t.client, t.due_at limit 1;
        while p_lane[v_at] < v_head.lane loop
            v_at := v_at + 1;
        end loop;
        if v_head.lane is null or p_lane[v_at] is null then
            v_goes_on := false;
            exit;
        end if;
        v_lane := p_lane[v_at];
        if v_lane > v_head.lane then
            v_client := v_before;
            continue;
        end if;
        v_client := v_head.client;
        if v_head.due_at <= p_now then
            v_lanes := v_lanes || v_lane;
            v_clients := v_clients || v_client;
            -- Of a lane without room nothing more is asked than whether there is any.
            if p_room[v_at] = 0 then
                v_client := -(v_before + 1);
            end if;
        end if;
    end loop;
    if v_goes_on then
        return query select v_lane, v_client, null::integer, null::bigint, null::bigint, true;
    end if;
    return query
    select u.lane, u.client, r.room,
           row_number() over (partition by u.lane order by u.client <= r.after, u.client),
           count(*) over (partition by u.lane), false
    from unnest(v_lanes, v_clients) as u (lane, client)
    join unnest(p_lane, p_room, p_after) as r (lane, room, after) on r.lane = u.lane;
end $$;

-- What a look writes, by key (as above): what is wanted is queued without a hint, the rest looked at again
-- later. What somebody else has changed since it was read, or is writing, is left as it is.
create function fleet_looked_v1(
    p_kind smallint, p_purchase uuid[], p_slot integer[], p_state smallint[],
    p_due_at timestamptz[], p_wants boolean[], p_lost boolean[], p_nth bigint[], p_now timestamptz
) returns table (purchase uuid, slot integer, lane integer, client bigint, wants boolean, lost boolean,
                 reminded boolean, nth bigint)
language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
begin
    return query
    with locked as (
        select s.* from (
            select u.*, p_kind as kind
            from unnest(p_purchase, p_slot, p_state, p_due_at, p_wants, p_lost, p_nth)
                 as u (purchase, slot, state, due_at, wants, lost, nth) offset 0) s
        join task t on t.purchase = s.purchase and t.kind + 0 = s.kind and t.slot = s.slot
        where t.state = s.state and t.due_at = s.due_at
        for update of t skip locked
    )
    update task t
    set state = case when s.wants then 1 else t.state end,
        hinted_at = case when s.wants then null else t.hinted_at end,
        due_at = case
            when s.wants then p_now + interval '10 seconds'
            when s.state = 2 then t.lease
            when s.state = 4 then p_now + interval '1 day'
            -- Whether a hint was lost shows once a later one was received: soon, then rarely.
            when p_now < t.hinted_at + interval '30 seconds' then t.hinted_at + interval '30 seconds'
            else p_now + interval '2 minutes' end
    from locked s
    where t.purchase = s.purchase and t.kind + 0 = s.kind and t.slot = s.slot
    returning t.purchase, t.slot, t.lane, t.client, s.wants, s.lost, s.state = 4, s.nth;
end $$;

-- One look of the clock at one kind. Only lanes that are named, in order, are looked at, each for as
-- many tasks as it has room, one of each client in turn; a lane without any is only asked whether more
-- is due. Rows that only look due get a new due time; those that found no room keep their place and are
-- not written, because they are the next to go. What is taken goes to the caller's own engine and
-- has no hint: a row that is still queued after its ten seconds was lost with it, and so is every hint
-- while there is no broker (p_unpublished). The last row is where a look that was too long goes on.
create function fleet_tick_v1(
    p_kind smallint, p_take integer, p_lane integer[], p_room integer[], p_after bigint[],
    p_from_lane integer, p_from_client bigint, p_queue_ready bigint, p_unpublished boolean
) returns table (ours boolean, db_now timestamptz, purchase uuid, slot integer, lane integer,
                 client bigint, lost boolean, reminded boolean, goes_on boolean)
language plpgsql volatile set enable_seqscan = off set enable_mergejoin = off as $$
declare
    v_now constant timestamptz := fleet_now();
    v_watermark timestamptz;
    v_idle boolean;
begin
    if not pg_try_advisory_xact_lock(70, p_kind) then
        return query select false, v_now, null::uuid, null::integer, null::integer, null::bigint,
                            false, false, false;
        return;
    end if;
    select max(h.watermark), coalesce(sum(h.unclaimed), 0) = 0
    into v_watermark, v_idle
    from heartbeat h where h.kind = p_kind and h.alive_at > v_now - interval '5 seconds';
    return query select true, v_now, null::uuid, null::integer, null::integer, null::bigint,
                        false, false, false;

    return query
    with turns as (
        select u.lane, u.client, least(u.room, p_take) as room, u.turn, u.clients, u.goes_on
        from fleet_turns_v1(p_kind, p_lane, p_room, p_after, p_from_lane, p_from_client, 4096, v_now)
             u
    ), due as (
        select t.purchase, t.slot, t.lane, t.client, t.state, t.lease, t.due_at, u.room, u.turn,
               t.state = 1 and (
                   p_unpublished
                   or coalesce(v_watermark > t.hinted_at + interval '10 seconds', false)
                   or coalesce(p_queue_ready = 0 and v_idle, false)
                   or coalesce(t.hinted_at < v_now - interval '10 minutes', true)) as lost
        from turns u
        cross join lateral (
            select c.* from task c
            where c.kind = p_kind and c.lane = u.lane and c.client = u.client and c.due_at <= v_now
            order by c.due_at
            -- Enough for its share if half of the others have nothing, and some that only look due.
            limit least(u.room, (2 * u.room + u.clients - 1) / u.clients)
                  + (16 + u.clients - 1) / u.clients) t
        where not u.goes_on and u.turn <= 2 * u.room + 16
    ), sorted as (
        select d.*, w.wants,
               count(*) filter (where w.wants)
                   over (partition by d.lane, d.client order by d.due_at, d.purchase, d.slot) as round
        from due d
        cross join lateral (
            select d.state = 3 or d.lost or (d.state = 2 and d.lease <= v_now) as wants) w
    ), numbered as (
        select s.*, count(*) filter (where s.wants)
                        over (partition by s.lane order by s.round, s.turn, s.purchase, s.slot) as nth
        from sorted s
    ), written as (
        select w.*
        from (select array_agg(s.purchase) as purchase, array_agg(s.slot) as slot,
                     array_agg(s.state) as state, array_agg(s.due_at) as due_at,
                     array_agg(s.wants) as wants, array_agg(s.lost) as lost, array_agg(s.nth) as nth
              from numbered s where not s.wants or s.nth <= s.room) n
        cross join lateral fleet_looked_v1(p_kind, n.purchase, n.slot, n.state, n.due_at, n.wants,
                                           n.lost, n.nth, v_now) w
    ), told as (
        select w.purchase, w.slot, w.lane, w.client, w.lost, w.reminded, false as goes_on, w.nth
        from written w where w.wants or w.reminded
        union all
        -- A lane of which more is due than there was room for: no purchase is named.
        select distinct null::uuid, null::integer, s.lane, null::bigint, false, false, false,
                        null::bigint
        from numbered s where s.wants and s.nth > s.room
        union all
        select null::uuid, null::integer, u.lane, u.client, false, false, true, null::bigint
        from turns u where u.goes_on)
    select true, v_now, o.purchase, o.slot, o.lane, o.client, o.lost, o.reminded, o.goes_on
    from told o order by o.lane, o.nth;
end $$;

-- A live process tells what it has seen, and leases permits. It names every lane of which it holds or
-- needs any: what it may be using (`held`), how many permits it could use, how many it would like to
-- keep at hand, and how many calls it could begin by the lane's rate. The answer names for each lane
-- the permits that it may use from now on, until its lease ends.
--
-- The sum that is counted is never above the lane's limit, but for what is held already: a process
-- that is to use fewer hears it here, and gives them back with its next beat, once it uses fewer.
create function fleet_beat_v1(
    p_process uuid, p_kind smallint, p_service text, p_watermark timestamptz, p_unclaimed integer,
    p_number bigint, p_calls_for interval, p_lane integer[], p_held integer[], p_need integer[],
    p_spare integer[], p_calls integer[], p_probe boolean[]
) returns table (lane integer, permits integer, rate integer, calls integer, first_call interval)
language plpgsql volatile set enable_seqscan = off as $$
#variable_conflict use_column
declare
    v_now timestamptz;
    v_late boolean;
begin
    -- One beat of a kind at a time: nothing else is waited for, so that nobody waits in a ring.
    perform pg_advisory_xact_lock(72, p_kind);
    v_now := fleet_now();
    select h.number >= p_number into v_late
    from heartbeat h where h.process = p_process and h.kind = p_kind;
    if v_late then
        return;
    end if;
    insert into heartbeat as h (process, kind, service, alive_at, watermark, unclaimed, number,
                                calls_until)
    values (p_process, p_kind, p_service, v_now, p_watermark, p_unclaimed, p_number,
            v_now + p_calls_for)
    on conflict (process, kind) do update
    set alive_at = excluded.alive_at, unclaimed = excluded.unclaimed, number = excluded.number,
        watermark = greatest(excluded.watermark, h.watermark),
        calls_until = greatest(excluded.calls_until, h.calls_until);

    -- What it does not name any more, and what dead processes held of the lanes that it names.
    delete from lane_permit m
    where m.process = p_process and m.kind = p_kind and m.lane <> all (p_lane);
    delete from lane_permit m
    where m.lane = any (p_lane) and m.process <> p_process and not exists (
        select from heartbeat h
        where h.process = m.process and h.kind = m.kind and h.calls_until > v_now);

    return query
    with ask as (
        select u.lane, u.held, u.need, u.spare, u.calls, u.probe, l.concurrency as most,
               l.rate_per_second as rate
        from unnest(p_lane, p_held, p_need, p_spare, p_calls, p_probe)
             as u (lane, held, need, spare, calls, probe)
        join lane l on l.lane = u.lane and l.kind = p_kind
    ), beside as (
        select a.*, o.held as others_hold, o.need as others_need, o.needs, o.processes, o.probing,
               -- Where there are fewer permits than processes that need one, those that have one
               -- keep it: tasks go to where the permits are.
               greatest(1, a.most / greatest(1, o.needing + (a.need > 0)::integer)) as share
        from ask a
        cross join lateral (
            select coalesce(sum(m.permits), 0)::integer as held,
                   coalesce(sum(m.need), 0)::integer as need, count(*)::integer as processes,
                   count(*) filter (where m.need > 0)::integer as needing,
                   coalesce(array_agg(m.need), '{}') as needs,
                   coalesce(bool_or(m.probe and m.permits > 0), false) as probing
            from lane_permit m where m.lane = a.lane and m.process <> p_process) o
    ), allowed as (
        select b.*, least(
                   case when not b.probe then b.most when b.probing then 0 else 1 end,
                   -- What nobody needs is kept at hand by all alike.
                   b.need + least(b.spare, greatest(0, b.most - b.need - b.others_need)
                                           / (b.processes + 1)),
                   -- Its share, and what is left when each of the others has its own.
                   greatest(case when b.need > 0 then b.share else 0 end,
                            b.most - (select coalesce(sum(least(n, b.share)), 0)::integer
                                      from unnest(b.needs) n))) as may
        from beside b
    ), counted as (
        select a.*, greatest(a.held, least(a.may, a.most - a.others_hold)) as permits
        from allowed a
    ), booked as (
        select c.*, s.first_at,
               case when c.rate = 0 then 0 else greatest(0, least(
                   c.calls, floor(extract(epoch from v_now + interval '1 second' - s.first_at)
                                  * c.rate)::integer + 1)) end as booked
        from counted c
        cross join lateral (
            select greatest(v_now, (select l.next_call_at from lane_state l
                                    where l.lane = c.lane)) as first_at) s
    ), leased as (
        insert into lane_permit as m (lane, process, kind, permits, need, probe)
        select c.lane, p_process, p_kind, c.permits, c.need, c.probe from counted c
        where c.permits > 0 or c.need > 0 or c.probe
        on conflict on constraint lane_permit_pkey do update
        set permits = excluded.permits, need = excluded.need, probe = excluded.probe
        where (m.permits, m.need, m.probe)
              <> (excluded.permits, excluded.need, excluded.probe)
    ), given_back as (
        delete from lane_permit m using counted c
        where m.lane = c.lane and m.process = p_process and c.permits <= 0 and c.need <= 0
              and not c.probe
    ), calls_written as (
        insert into lane_state as l (lane, next_call_at)
        select b.lane, b.first_at + b.booked * interval '1 second' / b.rate
        from booked b where b.booked > 0
        on conflict on constraint lane_state_pkey do update set next_call_at = excluded.next_call_at
    )
    select b.lane, greatest(0, least(b.may, b.most - b.others_hold)), b.rate, b.booked,
           b.first_at - v_now
    from booked b;

    -- After an hour without a database all rows are old at once, and each process holds its own.
    delete from heartbeat h
    using (select o.process, o.kind from heartbeat o
           where o.alive_at < v_now - interval '1 hour' for update skip locked) old
    where h.process = old.process and h.kind = old.kind;
end $$;

-- A result or a message once more, by hand: due now, whatever became of it. An index of 1 says that an
-- attempt is owed. Verdicts: due, under_way, not_found.
create function fleet_resend_v1(
    p_purchase uuid, p_slot integer, p_reason text, p_actor text
) returns text language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
declare
    v_now constant timestamptz := fleet_now();
    v_kind constant smallint := case when p_slot < 100 then 5 else 6 end;
    v_state smallint;
    v_lane integer;
begin
    select t.state into v_state from task t
    where t.purchase = p_purchase and t.kind + 0 = v_kind and t.slot = p_slot for update;
    if v_state = 2 then
        return 'under_way';
    end if;
    -- The endpoint's own lane, or the client's; of a message that of the client's connector.
    select l.lane into v_lane
    from delivery d
    left join client_notify n on n.client_id = d.client_id
    join lane l on l.kind = v_kind
               and case when v_kind = 5
                        then l.owner in (d.client_id::text, d.client_id::text || '/' || d.channel)
                        else l.owner = case d.channel when 'sms' then n.sms else n.email end end
    where d.purchase = p_purchase and d.slot = p_slot
    order by length(l.owner) desc limit 1;
    if v_lane is null then
        return 'not_found';
    end if;
    insert into task as t (purchase, kind, slot, state, due_at, lane, client, tries, created_at)
    select p_purchase, v_kind, p_slot, 3, v_now, v_lane, d.client_id, 1, v_now
    from delivery d where d.purchase = p_purchase and d.slot = p_slot
    on conflict (purchase, kind, slot) do update
    set state = 3, due_at = v_now, tries = greatest(t.tries, 1), start_by = null, park_class = null,
        park_cause = null, parked_at = null, at_risk_minor = null, at_risk_currency = null
    where t.state <> 2;
    update delivery d
    set state = case when d.first_sent_at is null then 'queued' else 'retrying' end
    where d.purchase = p_purchase and d.slot = p_slot;
    delete from undelivered u where u.purchase = p_purchase and u.slot = p_slot;
    insert into journal (purchase, kind, slot, outcome, detail, actor)
    values (p_purchase, v_kind, p_slot, 'resent_by_hand', p_reason, p_actor);
    return 'due';
end $$;

-- The oldest unfinished task of the kinds that move money or goods, from when it was made: a task that
-- is tried again and again is never late, and still has not succeeded. Only open work is read; how a
-- purchase stands is looked up by its key, whatever the tables were like when the plan was made.
create function fleet_unfinished_v1() returns table (
    kind smallint, waits_for text, oldest_seconds bigint
) language sql stable set enable_seqscan = off as $$
    select old.kind, old.waits_for, extract(epoch from max(old.age))::bigint
    from (
        select t.kind, n.now - t.created_at as age,
               case
                   when t.kind = 1 and (select p.reserve_state from purchase p
                                        where p.purchase = t.purchase) = 'buyer_asked' then 'buyer'
                   when t.kind = 2 and (select p.dispense_state from purchase p
                                        where p.purchase = t.purchase) = 'dispense_pending'
                       then 'confirmation'
                   else 'success' end as waits_for
        from (select fleet_now() as now) n
        join task t on t.created_at <= n.now - interval '30 seconds'
        where t.kind in (1, 2, 3, 4, 9) and t.state in (1, 2, 3)) old
    group by old.kind, old.waits_for
$$;

-- One look at the holds of purchases that are not settled, and the clock of the cases, which no
-- engine works on. A hold that ran out while nobody knows what it is for opens a case, once; the
-- settlement closes it. The hold itself is never touched.
create function fleet_watch_holds_v1() returns table (
    ours boolean, past_half bigint, expired bigint, opened bigint, closed bigint, reminded bigint,
    new_purchase uuid[], new_class text[], new_cause text[]
) language plpgsql volatile set enable_seqscan = off as $$
declare
    v_now constant timestamptz := fleet_now();
    v_cause constant text := 'the hold ran out before the purchase was decided';
    v_held record;
begin
    ours := pg_try_advisory_xact_lock(71, 0);
    past_half := 0;
    expired := 0;
    opened := 0;
    closed := 0;
    reminded := 0;
    for v_held in
        select p.purchase, p.hold_expires_at <= v_now as is_over,
               p.settle_state in ('not_started', 'settle_unknown') as is_open
        from (select distinct t.purchase from task t where t.kind in (2, 3)) t
        join purchase p on p.purchase = t.purchase
        join connector c on c.name = p.funding_source
        where p.reserve_state = 'reserved' and p.settle_state not in ('captured', 'cancelled')
          and v_now >= p.hold_expires_at - coalesce(c.hold_seconds, 0) * interval '500 milliseconds'
        order by p.purchase
    loop
        past_half := past_half + 1;
        if v_held.is_over then
            expired := expired + 1;
            if ours and v_held.is_open and not exists (
                select 1 from journal j
                where j.purchase = v_held.purchase and j.kind = 8 and j.detail = v_cause) then
                perform fleet_open_case(v_held.purchase, v_cause, v_now);
                opened := opened + 1;
            end if;
        end if;
    end loop;
    -- Whoever looks is told the figures; one at a time acts upon them.
    if not ours then
        return next;
        return;
    end if;

    -- It holds purchases by now: a case that somebody decides about is left to the next look.
    with settled as (
        select t.purchase, t.kind, t.slot
        from task t join purchase p on p.purchase = t.purchase
        where t.kind = 8 and t.state = 4 and t.park_cause = v_cause
          and p.settle_state in ('captured', 'cancelled')
        for update of t skip locked
    ), gone as (
        delete from task t using settled s
        where t.purchase = s.purchase and t.kind + 0 = s.kind and t.slot = s.slot
        returning t.purchase, t.slot
    ), told as (
        insert into journal (purchase, kind, slot, outcome, detail)
        select g.purchase, 8, g.slot, 'case_closed', 'the hold is settled' from gone g
        returning 1
    )
    select count(*) into closed from told;
    with up as (
        select t.purchase, t.kind, t.slot from task t
        where t.kind = 8 and t.state = 4 and t.due_at <= v_now for update skip locked
    )
    update task t set due_at = v_now + interval '1 day'
    from up u where t.purchase = u.purchase and t.kind + 0 = u.kind and t.slot = u.slot;
    get diagnostics reminded = row_count;

    -- A case has no hint: the mark says that it was told, once, whoever opened it.
    with fresh as (
        select t.purchase, t.kind, t.slot from task t
        where t.kind = 8 and t.state = 4 and t.hinted_at is null
        limit 100 for update skip locked
    ), told as (
        update task t set hinted_at = v_now
        from fresh f where t.purchase = f.purchase and t.kind + 0 = f.kind and t.slot = f.slot
        returning t.purchase, t.park_class, t.park_cause
    )
    select array_agg(t.purchase), array_agg(t.park_class), array_agg(t.park_cause)
    into new_purchase, new_class, new_cause from told t;
    return next;
end $$;
