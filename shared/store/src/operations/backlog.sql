-- A running task is late once its lease is over; every other one by when it is due.
select t.kind, t.state, count(*) as tasks,
       greatest(extract(epoch from (select fleet_now())
                        - min(case when t.state = 2 then t.lease else t.due_at end)), 0)::bigint
           as oldest_due_seconds
from task t
group by t.kind, t.state
order by t.kind, t.state
