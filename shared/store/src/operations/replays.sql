select p.*, o.stored, o.already_stored, o.refused, o.decided_before, p.letters - o.outcomes as left_over
from (
    select * from replay where $1::uuid is null or replay = $1
    order by created_at desc, replay desc limit $2) p
cross join lateral (
    select count(*) as outcomes,
           count(*) filter (where x.outcome = 'stored') as stored,
           count(*) filter (where x.outcome = 'already_stored') as already_stored,
           count(*) filter (where x.outcome = 'refused') as refused,
           count(*) filter (where x.outcome = 'decided_before') as decided_before
    from dead_letter_decision x where x.replay = p.replay) o
order by p.created_at desc, p.replay desc
