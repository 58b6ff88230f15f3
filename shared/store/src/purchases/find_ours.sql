select p.*
from purchase p
where p.purchase = $1 and p.client_id + 0 = $2
  and p.created_at > (select fleet_now()) - interval '30 days'
