-- What a person decides: callbacks that speak of no purchase, and when the gateway is closed.

-- A callback of nobody stands in fact without a purchase. What was decided about it stands here, once;
-- then it is kept for ever.
create table fact_decision (
    fact bigint primary key references fact,
    action text not null check (action in ('matched', 'discarded')),
    purchase uuid,
    reason text not null check (length(reason) between 1 and 200),
    actor text not null,
    decided_at timestamptz not null default fleet_now(),
    check ((action = 'matched') = (purchase is not null))
);

-- A fact of nobody becomes one of this purchase, as if it had named it: what the steps ask the other
-- side about, its transaction, takes the place of what told one fact of nobody from the next.
-- Verdicts: woken (its task waited or was parked), told (its task is under way), over (it has no such
-- task), no_fact, decided, no_purchase, other_connector, copy (another fact tells of this transaction).
-- A woken task waits no more and is left to the clock: whoever decides has no broker.
create function fleet_match_fact_v1(
    p_fact bigint, p_purchase uuid, p_external text, p_body bytea, p_reason text, p_actor text
) returns table (verdict text, contrary text)
language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
declare
    v_now constant timestamptz := fleet_now();
    v_kind smallint;
    v_task task%rowtype;
    v_fact fact%rowtype;
begin
    contrary := null;
    select case when f.fact_type = 'vend' then 2
                when f.fact_type in ('mo_charge', 'card_payment', 'card_sale') then 1 end
    into v_kind from fact f where f.fact = p_fact;
    -- The task first, as everywhere: a commit that holds it must see this fact or be seen by it.
    select * into v_task from task t
    where t.purchase = p_purchase and t.kind + 0 = v_kind and t.slot + 0 = 0 for update;
    select * into v_fact from fact f where f.fact = p_fact for update;
    verdict := case
        when v_kind is null then 'no_fact'
        when v_fact.purchase is not null
             or exists (select 1 from fact_decision d where d.fact = p_fact) then 'decided'
        when not exists (select 1 from purchase p where p.purchase = p_purchase) then 'no_purchase'
        when not fleet_may_tell(v_fact.source, p_purchase, v_kind) then 'other_connector'
        when exists (
            select 1 from fact f
            where f.source = v_fact.source and f.fact_type = v_fact.fact_type
              and f.reference = v_fact.reference and f.status = v_fact.status
              and f.external_id = p_external and f.purchase is not null
              and f.fact <> p_fact) then 'copy'
        when v_task.state in (3, 4) then 'woken'
        when v_task.state is not null then 'told'
        else 'over' end;
    if verdict not in ('woken', 'told', 'over') then
        return next;
        return;
    end if;
    update fact f
    set purchase = p_purchase, kind = v_kind, slot = 0, external_id = p_external,
        body_sealed = p_body
    where f.fact = p_fact;
    insert into fact_decision (fact, action, purchase, reason, actor, decided_at)
    values (p_fact, 'matched', p_purchase, p_reason, p_actor, v_now);
    insert into journal (purchase, kind, slot, outcome, detail, actor)
    values (p_purchase, v_kind, 0, 'matched_by_hand', 'callback ' || p_fact, p_actor);
    if verdict <> 'over' then
        update task t
        set signals = t.signals + 1,
            state = case when t.state = 4 then 3 else t.state end,
            due_at = case when t.state in (3, 4) then v_now else t.due_at end,
            park_class = null, park_cause = null, parked_at = null,
            at_risk_minor = null, at_risk_currency = null
        where t.purchase = p_purchase and t.kind + 0 = v_kind and t.slot + 0 = 0;
    else
        contrary := fleet_contradiction(v_fact.source, v_fact.fact_type, v_fact.status,
                                        v_fact.reference, p_external, p_purchase);
        if contrary is not null then
            perform fleet_open_case(p_purchase, contrary, v_now);
        end if;
    end if;
    return next;
end $$;

-- A fact of nobody that nothing is to follow from. Verdicts: discarded, no_fact, decided.
create function fleet_discard_fact_v1(p_fact bigint, p_reason text, p_actor text) returns text
language plpgsql volatile as $$
declare
    v_fact fact%rowtype;
begin
    select * into v_fact from fact f where f.fact = p_fact for update;
    if v_fact.fact is null then
        return 'no_fact';
    end if;
    if v_fact.purchase is not null then
        return 'decided';
    end if;
    insert into fact_decision (fact, action, reason, actor)
    values (p_fact, 'discarded', p_reason, p_actor)
    on conflict do nothing;
    if not found then
        return 'decided';
    end if;
    update fact f set discarded = true where f.fact = p_fact;
    return 'discarded';
end $$;

-- While there is a row, gateways answer clients that they shall come again.
create table maintenance (
    one boolean primary key default true check (one),
    reason text not null check (length(reason) between 1 and 200),
    actor text not null,
    since timestamptz not null default fleet_now()
);

-- On or off, each for a reason; false when it was off already. Gateways see it as they see an import.
create function fleet_maintenance_v1(p_on boolean, p_reason text, p_actor text) returns boolean
language plpgsql volatile as $$
declare
    v_before text;
    v_version bigint;
begin
    -- First, as imports do.
    perform 1 from directory_version for update;
    select m.reason into v_before from maintenance m;
    if not p_on and v_before is null then
        return false;
    end if;
    if not p_on then
        delete from maintenance;
    else
        insert into maintenance (reason, actor) values (p_reason, p_actor)
        on conflict (one) do update set reason = excluded.reason, actor = excluded.actor;
    end if;
    update directory_version set version = version + 1 returning version into v_version;
    insert into directory_history (version, actor, reason, section, key, change_kind, fields)
    values (v_version, p_actor, p_reason, 'maintenance', 'gateway', 'changed',
            jsonb_build_object('reason', jsonb_build_object(
                'before', v_before, 'after', case when p_on then p_reason end)));
    return true;
end $$;
