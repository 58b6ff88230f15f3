select p.*
from reservation_reference r
-- By its key, whatever the tables were like when the plan was made.
cross join lateral (select o.* from purchase o where o.purchase = r.purchase offset 0) p
where r.reference = $1 and r.client_id = $2 and p.client_id = $2
  and p.created_at > (select fleet_now()) - interval '30 days'
order by p.created_at desc, p.purchase desc
limit 1
