with changed as (
    update consumer_card c set disabled = true
    where c.client_id = $3 and c.consumer_hash = $4 and not c.disabled
      and c.email_hash is distinct from $10
)
insert into sale_access (access, token_hash, client_id, consumer_hash, purchase_sealed, email_sealed,
                         amount, currency, created_at, expires_at)
select $1, $2, $3, $4, $5, $6, $7, $8, n.now, n.now + make_interval(secs => $9)
from (select fleet_now() as now) n
returning expires_at
