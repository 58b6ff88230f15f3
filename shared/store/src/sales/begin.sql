insert into device_sale (purchase, access, funding_source, session_sealed, created_at)
values ($1, $2, $3, $4, fleet_now())
on conflict do nothing
