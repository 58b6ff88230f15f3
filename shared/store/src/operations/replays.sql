select p.*, o.stored, o.already_stored, o.refused, o.decided_before, p.letters - o.outcomes as left_over
from (
    -- The numbers of replays grow with their time.
    select * from replay
    where replay <= coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
      and replay >= coalesce($1::uuid, '00000000-0000-0000-0000-000000000000')
      and replay < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    order by replay desc limit $3) p
cross join lateral (
    select count(*) as outcomes,
           count(*) filter (where x.outcome = 'stored') as stored,
           count(*) filter (where x.outcome = 'already_stored') as already_stored,
           count(*) filter (where x.outcome = 'refused') as refused,
           count(*) filter (where x.outcome = 'decided_before') as decided_before
    from dead_letter_decision x where x.replay = p.replay) o
order by p.replay desc
