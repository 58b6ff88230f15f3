select s.purchase, s.funding_source, s.session_sealed, s.checked, a.access, a.client_id,
       a.consumer_hash, a.purchase_sealed, a.email_sealed, a.amount, a.currency,
       a.expires_at > fleet_now() as is_valid
from device_sale s
join sale_access a on a.access = s.access
where s.purchase = $1 or s.access = $2
