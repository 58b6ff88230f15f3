-- The newest 50,000 behind the page before, of all or of a client: what is rare among them does not
-- have all of history read.
select w.purchase, w.slot, w.client_id, w.channel, w.state, w.attempts, w.first_sent_at,
       w.last_sent_at, w.last_status, w.created_at, t.due_at
from ((select n.* from (
           select d.* from delivery d
           where $1::bigint is null and (d.purchase, d.slot) < ($4, $5)
           order by d.purchase desc, d.slot desc limit 50000) n
       where ($2::text is null or n.channel = $2) and ($3::text is null or n.state = $3)
       order by n.purchase desc, n.slot desc limit $6)
      union all
      (select n.* from (
           select d.* from delivery d
           -- As a range of the client's index: by a number alone, all of history may be walked.
           where d.client_id is not null and (d.client_id, d.purchase, d.slot) < ($1, $4, $5)
             and (d.client_id, d.purchase, d.slot)
                 >= ($1, '00000000-0000-0000-0000-000000000000', -2147483648)
           order by d.client_id desc, d.purchase desc, d.slot desc limit 50000) n
       where ($2::text is null or n.channel = $2) and ($3::text is null or n.state = $3)
       order by n.client_id desc, n.purchase desc, n.slot desc limit $6)) w
left join task t on t.purchase = w.purchase and t.slot = w.slot
                and t.kind = case when w.slot < 100 then 5 else 6 end
order by w.purchase desc, w.slot desc
limit $6
