select a.i, p.*
from unnest($1::bigint[], $2::text[]) with ordinality as a (client, ref, i)
cross join lateral (
    select * from purchase p where p.client_id = a.client and p.client_txn_ref = a.ref limit 1) p
