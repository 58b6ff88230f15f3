select d.client_id, d.channel,
       count(*) filter (where d.state = 'retrying') as retrying,
       count(*) filter (where d.state = 'failed') as failed,
       count(*) filter (where d.state = 'disabled') as disabled,
       min(d.created_at) as oldest,
       (array_agg(d.last_status order by d.last_sent_at desc nulls last))[1] as last_status
from delivery d
where d.state in ('retrying', 'failed', 'disabled')
  and d.created_at > (select fleet_now()) - interval '30 days'
group by d.client_id, d.channel
order by count(*) desc, d.client_id, d.channel
