with changed as (
    update consumer_card c set disabled = true
    from (select o.card from consumer_card o
          where o.client_id = $3 and o.consumer_hash = $4 and not o.disabled
            -- Without an address nothing is said about it.
            and $10::bytea is not null and o.email_hash is distinct from $10
          order by o.card for update) other
    where c.card = other.card
)
insert into sale_access (access, token_hash, client_id, consumer_hash, purchase_sealed, email_sealed,
                         amount, currency, created_at, expires_at)
select $1, $2, $3, $4, $5, $6, $7, $8, n.now, n.now + make_interval(secs => $9)
from (select fleet_now() as now) n
returning expires_at
