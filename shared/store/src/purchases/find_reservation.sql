select p.*
from reservation_reference r
join purchase p on p.purchase = r.purchase
where r.reference = $1 and r.client_id = $2 and p.client_id = $2
  and p.created_at > (select fleet_now()) - interval '30 days'
order by p.created_at desc, p.purchase desc
limit 1
