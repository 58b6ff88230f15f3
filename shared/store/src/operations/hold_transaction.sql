-- Kept from being shown, and who decided that and why for ever.
with held as (
    insert into transaction_hold (purchase, removed, reason, actor)
    select p.purchase, $2, $3, $4 from purchase p where p.purchase = $1
    on conflict (purchase) do update
    set removed = excluded.removed, reason = excluded.reason, actor = excluded.actor,
        created_at = fleet_now()
    returning purchase, removed, reason, actor)
insert into journal (purchase, kind, outcome, detail, actor)
select h.purchase, 5, case when h.removed then 'removed_by_hand' else 'held_by_hand' end, h.reason,
       h.actor
from held h
returning purchase
