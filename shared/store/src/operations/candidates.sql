-- Purchases that facts of nobody may speak of: the one that the reference names, then the buyer's
-- latest at the same funding source. A buyer is found client by client: the index begins so.
select q.i::integer as i, c.purchase, c.by_reference
from unnest($1::uuid[], $2::bytea[], $3::text[]) with ordinality as q (named, buyer, connector, i)
cross join lateral (
    select p.purchase, p.created_at, true as by_reference
    from purchase p where p.purchase = q.named
    union all
    (select b.purchase, b.created_at, false
     from client k
     cross join lateral (
         select p.purchase, p.created_at from purchase p
         where p.client_id = k.client_id and p.source_hash = q.buyer
           and p.created_at > (select fleet_now()) - interval '7 days'
           and p.funding_source = q.connector and p.purchase is distinct from q.named
         order by p.created_at desc limit $4) b
     order by b.created_at desc limit $4)
) c
order by q.i, c.by_reference desc, c.created_at desc
