-- Parked tasks. Of several with one purchase, the one with the most money stands for its hold.
select t.purchase, t.kind, t.slot, t.park_class, t.park_cause, t.at_risk_minor, t.at_risk_currency,
       t.parked_at, t.tries, t.ref_no, p.client_id, p.client_txn_ref, p.supplier, p.funding_source,
       t.at_risk_minor is not null and not exists (
           select 1 from task o
           where o.purchase = t.purchase and o.state = 4
             and ($1::smallint is null or o.kind = $1)
             and ($2::text is null or o.park_class = $2)
             and ($4::text is null or strpos(lower(o.park_cause), lower($4)) > 0)
             and (o.at_risk_minor, -o.kind, -o.slot) > (t.at_risk_minor, -t.kind, -t.slot))
           as at_risk_counts
from task t
join purchase p on p.purchase = t.purchase
where t.state = 4
  and ($1::smallint is null or t.kind = $1)
  and ($2::text is null or t.park_class = $2)
  and ($3::bigint is null or p.client_id = $3)
  and ($4::text is null or strpos(lower(t.park_cause), lower($4)) > 0)
  and ($5::uuid is null or (t.purchase, t.kind, t.slot) > ($5, $6, $7))
order by t.purchase, t.kind, t.slot
limit $8
