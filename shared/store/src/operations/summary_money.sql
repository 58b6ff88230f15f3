-- The books as money_conservation has them, of these purchases.
select e.currency, e.client_id, e.funding_source,
       coalesce(sum(e.amount) filter (where e.entry = 'reserved'), 0)::bigint as reserved,
       coalesce(sum(e.amount) filter (where e.entry = 'captured'), 0)::bigint as captured,
       coalesce(sum(e.amount) filter (where e.entry = 'cancelled'), 0)::bigint as cancelled,
       (coalesce(sum(e.amount) filter (where e.step = 1), 0)
        - coalesce(sum(e.amount) filter (where e.step = 2), 0))::bigint as held,
       coalesce(sum(e.amount) filter (where e.entry = 'kept'), 0)::bigint as kept,
       coalesce(sum(e.amount) filter (where e.entry in ('refunded', 'repaid')), 0)::bigint as refunded,
       (coalesce(sum(e.amount) filter (where e.entry = 'owed'), 0)
        - coalesce(sum(e.amount) filter (where e.entry = 'repaid'), 0))::bigint as owed,
       (coalesce(sum(e.amount) filter (where e.entry = 'captured'), 0)
        - coalesce(sum(e.amount) filter (where e.step = 3), 0))::bigint as undecided
from cohort c
cross join lateral (select e.* from ledger_entry e where e.purchase = c.purchase offset 0) e
group by e.currency, e.client_id, e.funding_source
order by e.currency, e.client_id, e.funding_source
