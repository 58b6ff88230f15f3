select d.purchase, d.slot, d.client_id, d.channel, d.state, d.attempts, d.first_sent_at,
       d.last_sent_at, d.last_status, d.created_at, null::timestamptz as due_at
from undelivered u
join delivery d on d.purchase = u.purchase and d.slot = u.slot
where (u.purchase, u.slot) < ($4, $5)
  and ($1::bigint is null or u.client_id = $1)
  and ($2::text is null or u.channel = $2)
  and u.state = $3
order by u.purchase desc, u.slot desc
limit $6
