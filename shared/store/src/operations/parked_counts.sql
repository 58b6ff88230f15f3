select t.park_class as class, count(*) as tasks
from task t
where t.state = 4 and t.park_class is not null
group by t.park_class
order by t.park_class
