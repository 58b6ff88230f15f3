select t.purchase, t.kind, t.slot, t.park_class, t.park_cause, t.at_risk_minor, t.at_risk_currency,
       t.parked_at, t.tries, t.ref_no, p.client_id, p.client_txn_ref, p.supplier, p.funding_source
from task t
join purchase p on p.purchase = t.purchase
where t.state = 4
  and ($1::smallint is null or t.kind = $1)
  and ($2::text is null or t.park_class = $2)
  and ($3::bigint is null or p.client_id = $3)
  and ($4::uuid is null or (t.purchase, t.kind, t.slot) > ($4, $5, $6))
order by t.purchase, t.kind, t.slot
limit $7
