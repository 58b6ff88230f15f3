select t.park_class, coalesce(t.park_cause, '') as park_cause, count(*) as tasks
from task t
where t.state = 4 and t.park_class is not null
group by t.park_class, t.park_cause
order by tasks desc, t.park_class, t.park_cause
limit 200
