select p.*
from purchase p
where p.client_id = $1 and p.client_txn_ref = $2 and p.fingerprint = $3
  and ($4::bigint is null or p.fee_amount = $4)
