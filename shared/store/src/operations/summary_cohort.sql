-- What a summary covers: purchases that were accepted since $1, by their numbers, which grow with their
-- time, from $2 on, the newest 50,000; and all that have unfinished work, however old.
with newest as materialized (
    select p.purchase, p.created_at from purchase p
    where p.purchase >= $2
    order by p.purchase desc limit 50000
), cohort as materialized (
    select n.purchase from newest n where n.created_at > $1
    union
    select t.purchase from task t
)
