-- Deliveries that are on their way have a task.
select d.purchase, d.slot, d.client_id, d.channel, d.state, d.attempts, d.first_sent_at,
       d.last_sent_at, d.last_status, d.created_at, t.due_at
from task t
join delivery d on d.purchase = t.purchase and d.slot = t.slot
where t.kind in (5, 6)
  and (t.purchase, t.slot) < ($4, $5)
  and ($1::bigint is null or d.client_id = $1)
  and ($2::text is null or d.channel = $2)
  and d.state = $3
order by t.purchase desc, t.slot desc
limit $6
