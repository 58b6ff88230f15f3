select r.seq, r.ended_at, d.body_sealed as result_sealed, p.*
from result r
join purchase p on p.purchase = r.purchase
left join delivery d on d.purchase = r.purchase and d.slot = 1 and d.channel = 'transact_result'
where r.client_id = $1 and r.seq > $2 and r.seq <= $3
  and ($4::date is null or (r.ended_at at time zone 'utc')::date = $4)
order by r.seq
limit $5
