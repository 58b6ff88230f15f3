select t.kind, t.state, count(*) as tasks,
       greatest(extract(epoch from (select fleet_now()) - min(t.due_at)), 0)::bigint
           as oldest_due_seconds
from task t
group by t.kind, t.state
order by t.kind, t.state
