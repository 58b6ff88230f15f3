select d.purchase, d.slot, d.client_id, d.channel, d.state, d.attempts, d.first_sent_at,
       d.last_sent_at, d.last_status, d.created_at, t.due_at
from delivery d
left join task t on t.purchase = d.purchase and t.kind in (5, 6) and t.slot = d.slot
where ($1::bigint is null or d.client_id = $1)
  and ($2::text is null or d.channel = $2)
  and ($3::text is null or d.state = $3)
order by d.created_at desc, d.purchase desc, d.slot
limit $4
