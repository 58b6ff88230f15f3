select r.seq, r.ended_at, d.body_sealed as result_sealed, p.*
from result r
-- By their keys, whatever the tables were like when the plan was made.
cross join lateral (select o.* from purchase o where o.purchase = r.purchase offset 0) p
left join lateral (
    select o.body_sealed from delivery o
    where o.purchase = r.purchase and o.slot + 0 = 1 and o.channel = 'transact_result' offset 0) d
    on true
where r.client_id = $1 and r.seq > $2 and r.seq <= $3
  and ($4::date is null or (r.ended_at at time zone 'utc')::date = $4)
order by r.seq
limit $5
