-- What a person decides about dead letters: to take them in again, in batches, or to discard them.

-- Nothing is published again, so no letter is ever in a state that says so.
alter table dead_letter drop constraint dead_letter_state_check,
    add constraint dead_letter_state_check check (state in ('new', 'discarded', 'stored'));

create table replay (
    replay uuid primary key,
    actor text not null check (actor <> ''),
    reason text not null check (length(reason) between 1 and 200),
    -- which letters were asked for
    criteria jsonb not null,
    letters integer not null check (letters between 1 and 10000),
    -- letters a second at most
    rate integer not null check (rate > 0),
    -- percent of letters that may come back
    stop_at integer not null check (stop_at between 1 and 100),
    created_at timestamptz not null default fleet_now(),
    ended text check (ended in ('done', 'stopped')),
    ended_at timestamptz,
    check ((ended is null) = (ended_at is null))
);

create table replay_letter (
    replay uuid not null references replay,
    letter uuid not null references dead_letter,
    -- tried: it was given to a process, which may have taken it in; decided: it has its outcome
    state text not null default 'new' check (state in ('new', 'tried', 'decided')),
    primary key (replay, letter)
);
create index replay_letter_left on replay_letter (replay) where state <> 'decided';
create index replay_letter_letter on replay_letter (letter);

-- What became of a letter, once a replay. Nothing here is changed or deleted.
create table dead_letter_decision (
    decision bigint generated always as identity primary key,
    letter uuid not null references dead_letter,
    replay uuid,
    -- stored: a purchase now; already_stored: it was one before; refused: the letter stays new;
    -- decided_before: somebody else had decided; discarded
    outcome text not null
        check (outcome in ('stored', 'already_stored', 'refused', 'decided_before', 'discarded')),
    cause text,
    detail text,
    purchase uuid,
    actor text not null check (actor <> ''),
    reason text not null check (length(reason) between 1 and 200),
    decided_at timestamptz not null default fleet_now(),
    unique (replay, letter),
    foreign key (replay, letter) references replay_letter (replay, letter),
    check ((outcome = 'discarded') = (replay is null)),
    check ((outcome = 'refused') = (cause is not null)),
    check ((cause is null) = (detail is null)),
    check ((outcome in ('stored', 'already_stored')) = (purchase is not null))
);
create index dead_letter_decision_letter on dead_letter_decision (letter);
create unique index dead_letter_discarded on dead_letter_decision (letter) where replay is null;

-- Letters of replays that have no outcome yet.
create view replay_left as
select r.letter, r.replay, r.state, p.ended
from replay_letter r
join replay p on p.replay = r.replay
where r.state <> 'decided';

-- Letters that are in the hands of a replay: nobody else may decide about them. One that was stopped
-- lets go of those that it never tried; the others may be purchases already, and it has to go on.
create view replay_held as
select o.letter, o.replay from replay_left o where o.ended is null or o.state = 'tried';

-- Of these letters, those that nothing can be decided about: no_letter, decided, in_replay, and
-- other_queue when they are to be replayed: a hint's task is in its table, there is nothing to take in.
create function fleet_unfit_letters(p_letters uuid[], p_replay boolean)
returns table (letter uuid, verdict text, replay uuid)
language sql stable set enable_seqscan = off as $$
    select a.letter,
           case when d.letter is null then 'no_letter'
                when p_replay and d.queue <> 'fleet.requested' then 'other_queue'
                when d.state <> 'new' then 'decided'
                else 'in_replay' end,
           o.replay
    from unnest(p_letters) with ordinality as a (letter, i)
    left join dead_letter d on d.letter = a.letter
    left join lateral (
        select o.replay from replay_held o where o.letter = a.letter limit 1) o on true
    where d.letter is null or d.state <> 'new' or o.replay is not null
          or (p_replay and d.queue <> 'fleet.requested')
    order by a.i
$$;

-- New letters of fleet.requested that no replay has, oldest first, and how many there are of them.
create function fleet_replayable_v1(p_cause text, p_limit integer)
returns table (letter uuid, cause text, matching bigint)
language sql stable set enable_seqscan = off as $$
    select d.letter, d.cause, count(*) over ()
    from dead_letter d
    where d.state = 'new' and d.queue = 'fleet.requested' and (p_cause is null or d.cause = p_cause)
      and not exists (select 1 from replay_held o where o.letter = d.letter)
    order by d.received_at, d.letter
    limit p_limit
$$;

-- Begins a replay, or changes nothing and names the letters that keep it from beginning. Whoever
-- decides about letters locks their rows first, in their order.
create function fleet_begin_replay_v1(
    p_replay uuid, p_letters uuid[], p_criteria jsonb, p_rate integer, p_stop_at integer,
    p_reason text, p_actor text
) returns table (letter uuid, verdict text, replay uuid)
language plpgsql volatile set enable_seqscan = off as $$
#variable_conflict use_column
begin
    perform 1 from dead_letter d where d.letter = any (p_letters) order by d.letter for update;
    return query select * from fleet_unfit_letters(p_letters, true);
    if found then
        return;
    end if;
    insert into replay (replay, actor, reason, criteria, letters, rate, stop_at)
    select p_replay, p_actor, p_reason, p_criteria, count(distinct l), p_rate, p_stop_at
    from unnest(p_letters) l;
    insert into replay_letter (replay, letter) select distinct p_replay, l from unnest(p_letters) l;
end $$;

-- Opens a replay that was stopped; one whose process died is open. False when there is none.
create function fleet_continue_replay_v1(p_replay uuid) returns boolean
language plpgsql volatile set enable_seqscan = off as $$
begin
    perform 1 from replay p where p.replay = p_replay for update;
    if not found then
        return false;
    end if;
    perform 1 from dead_letter d
    where d.letter in (select r.letter from replay_letter r where r.replay = p_replay)
    order by d.letter for update;
    update replay p set ended = null, ended_at = null
    where p.replay = p_replay and p.ended = 'stopped'
      and exists (select 1 from replay_left o where o.replay = p_replay);
    return true;
end $$;

-- The next letters of an open replay that have no outcome, oldest first. The body of one that is too
-- long for a purchase is not read.
create function fleet_replay_letters_v1(p_replay uuid, p_limit integer)
returns table (letter uuid, is_new boolean, cause text, message_id text, headers jsonb,
               body_bytes integer, body_sealed bytea)
language plpgsql volatile set enable_seqscan = off as $$
#variable_conflict use_column
begin
    -- Whoever stops it waits until these are marked, and so does another process of it: it then sees
    -- what is marked, and the two never mark the same letters in different orders.
    perform 1 from replay p where p.replay = p_replay and p.ended is null for no key update;
    if not found then
        return;
    end if;
    return query
    with next as (
        select d.letter, d.received_at
        from replay_left o
        join dead_letter d on d.letter = o.letter
        where o.replay = p_replay
        order by d.received_at, d.letter
        limit p_limit),
    marked as (
        update replay_letter r set state = 'tried'
        from next n
        where r.replay = p_replay and r.letter = n.letter and r.state = 'new')
    select d.letter, d.state = 'new', d.cause, d.message_id, d.headers, d.body_bytes,
           case when d.body_bytes <= 65536 then d.body_sealed end
    from next n
    join dead_letter d on d.letter = n.letter
    order by n.received_at, n.letter;
end $$;

-- Writes what became of a replay's letters, each once: the letter, its decision and who decided in one
-- transaction. What is told back is what was written now.
create function fleet_decide_letters_v1(
    p_replay uuid, p_letters uuid[], p_outcome text[], p_cause text[], p_detail text[],
    p_purchase uuid[]
) returns table (letter uuid, outcome text)
language plpgsql volatile set enable_seqscan = off as $$
#variable_conflict use_column
begin
    perform 1 from dead_letter d where d.letter = any (p_letters) order by d.letter for update;
    return query
    with decided as (
        insert into dead_letter_decision (letter, replay, outcome, cause, detail, purchase, actor,
                                          reason)
        select a.letter, p_replay, w.outcome,
               case when w.outcome = 'refused' then a.cause end,
               case when w.outcome = 'refused' then a.detail end,
               a.purchase, p.actor, p.reason
        from unnest(p_letters, p_outcome, p_cause, p_detail, p_purchase)
             as a (letter, outcome, cause, detail, purchase)
        join dead_letter d on d.letter = a.letter
        join replay p on p.replay = p_replay
        -- A purchase that was taken in is told, whoever decided about its letter meanwhile.
        cross join lateral (
            select case when d.state <> 'new' and a.purchase is null then 'decided_before'
                        else a.outcome end as outcome) w
        order by a.letter
        on conflict (replay, letter) do nothing
        returning letter, outcome, cause, detail, actor, decided_at),
    settled as (
        update replay_letter r set state = 'decided'
        from decided x
        where r.replay = p_replay and r.letter = x.letter),
    changed as (
        update dead_letter d
        set state = case when x.outcome = 'refused' then d.state else 'stored' end,
            cause = coalesce(x.cause, d.cause),
            detail = coalesce(x.detail, d.detail),
            actor = case when x.outcome = 'refused' then d.actor else x.actor end,
            decided_at = case when x.outcome = 'refused' then d.decided_at else x.decided_at end
        from decided x
        where d.letter = x.letter and d.state = 'new' and x.outcome <> 'decided_before')
    select x.letter, x.outcome from decided x;
end $$;

-- Ends an open replay; one that has letters without an outcome is not done. False when nothing ended.
create function fleet_end_replay_v1(p_replay uuid, p_ended text) returns boolean
language plpgsql volatile set enable_seqscan = off as $$
begin
    perform 1 from replay p where p.replay = p_replay for update;
    update replay p set ended = p_ended, ended_at = fleet_now()
    where p.replay = p_replay and p.ended is null
      and (p_ended = 'stopped'
           or not exists (select 1 from replay_left o where o.replay = p_replay));
    return found;
end $$;

-- Discards letters, or changes nothing and names those that keep it from that.
create function fleet_discard_letters_v1(p_letters uuid[], p_reason text, p_actor text)
returns table (letter uuid, verdict text, replay uuid)
language plpgsql volatile set enable_seqscan = off as $$
#variable_conflict use_column
begin
    perform 1 from dead_letter d where d.letter = any (p_letters) order by d.letter for update;
    return query select * from fleet_unfit_letters(p_letters, false);
    if found then
        return;
    end if;
    insert into dead_letter_decision (letter, outcome, actor, reason)
    select distinct l, 'discarded', p_actor, p_reason from unnest(p_letters) l;
    update dead_letter d set state = 'discarded', actor = p_actor, decided_at = fleet_now()
    where d.letter = any (p_letters);
end $$;
