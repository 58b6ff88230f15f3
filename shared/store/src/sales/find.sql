select s.purchase, s.funding_source, s.session_sealed, s.checked, a.access, a.client_id,
       a.consumer_hash, a.purchase_sealed, a.email_sealed, a.amount, a.currency,
       a.expires_at > fleet_now() as is_valid
from (select * from device_sale where purchase = $1
      union all select * from device_sale where access = $2) s
cross join lateral (select * from sale_access where access = s.access offset 0) a
