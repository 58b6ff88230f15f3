insert into transaction_hold (purchase, removed, reason, actor)
select p.purchase, $2, $3, $4 from purchase p where p.purchase = $1
on conflict (purchase) do update
set removed = excluded.removed, reason = excluded.reason, actor = excluded.actor
returning purchase
