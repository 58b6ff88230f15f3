-- Results on their way after a try have a task; those that ended without an acknowledgement are kept
-- apart. Neither grows with what was delivered.
select f.client_id, f.channel,
       count(*) filter (where f.state = 'retrying') as retrying,
       count(*) filter (where f.state = 'failed') as failed,
       count(*) filter (where f.state = 'disabled') as disabled,
       min(f.created_at) as oldest,
       (array_agg(f.last_status order by f.last_sent_at desc nulls last))[1] as last_status
from (select d.* from task t
      join delivery d on d.purchase = t.purchase and d.slot = t.slot
      where t.kind in (5, 6) and d.state = 'retrying'
      union all
      select d.* from undelivered u
      join delivery d on d.purchase = u.purchase and d.slot = u.slot
      where u.ended_at > (select fleet_now()) - interval '30 days') f
group by f.client_id, f.channel
order by count(*) desc, f.client_id, f.channel
