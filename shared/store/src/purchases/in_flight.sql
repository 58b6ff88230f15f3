select p.purchase, p.created_at
from purchase p
where p.client_id = $1 and p.source_hash = $2 and p.target_hash = $3 and p.product_id = $4
  and p.purchase_amount = $5
  and p.created_at > (select fleet_now()) - interval '30 days'
  and p.reserve_state not in ('refused', 'failed')
  and p.dispense_state not in ('dispensed', 'failed')
order by p.created_at desc, p.purchase desc
limit $6
