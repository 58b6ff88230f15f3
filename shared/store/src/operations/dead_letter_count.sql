-- Counted along the index, which has the states and causes in its order, and no further than to $4.
select count(*)
from unnest(case when $1::text is null then '{new,discarded,stored}'::text[]
                 else array[$1::text] end) as s (state)
cross join lateral (
    (select 1 from dead_letter d
     where $2::text is null and d.state = s.state and ($3::text is null or d.queue = $3)
     order by d.cause, d.received_at, d.letter
     limit $4 + 1)
    union all
    (select 1 from dead_letter d
     where d.state = s.state and d.cause = $2 and ($3::text is null or d.queue = $3)
     order by d.received_at, d.letter
     limit $4 + 1)) counted
