select d.letter, d.received_at, d.queue, d.cause, d.detail, d.message_id, d.body_bytes, d.state,
       d.actor, d.decided_at
from dead_letter d
where ($1::text is null or d.state = $1)
  and ($2::text is null or d.cause = $2)
  and ($3::text is null or d.queue = $3)
  and ($4::timestamptz is null or (d.received_at, d.letter) < ($4, $5))
order by d.received_at desc, d.letter desc
limit $6
