-- Each state and cause is a walk of its own along an index, newest first, that ends with the page;
-- the words are few and fixed, but for the causes, which the letters themselves tell.
with recursive causes as (
    select s.state, coalesce($2::text, (select min(d.cause) from dead_letter d
                                        where d.state = s.state)) as cause
    from unnest(case when $1::text is null then '{new,discarded,stored}'::text[]
                     else array[$1::text] end) as s (state)
    union all
    select c.state, (select min(d.cause) from dead_letter d
                     where d.state = c.state and d.cause > c.cause)
    from causes c where c.cause is not null and $2::text is null
), last as (
    select coalesce(max(d.received_at), 'infinity') as received_at,
           coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff') as letter
    from dead_letter d where d.letter = $4
)
select w.letter, w.received_at, w.queue, w.cause, w.detail, w.message_id, w.body_bytes, w.state,
       w.actor, w.decided_at
from causes c
cross join last l
cross join lateral (
    select d.* from dead_letter d
    where d.state = c.state and d.cause = c.cause
      and ($3::text is null or d.queue = $3)
      and (d.received_at, d.letter) < (l.received_at, l.letter)
    order by d.received_at desc, d.letter desc
    limit $5) w
order by w.received_at desc, w.letter desc
limit $5
