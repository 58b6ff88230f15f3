-- What the fleet has recorded at each outside party, and what may have happened there besides: minor
-- units of funding sources, vends of suppliers.
select e.funding_source as party, w.kind,
       coalesce(sum(e.amount) filter (where e.entry = any (w.entries)), 0)::bigint as recorded,
       coalesce((
           select sum(p.purchase_amount + p.fee_amount) from purchase p
           where p.funding_source = e.funding_source
             and case when w.kind = 'reserve'
                      then p.reserve_state in ('pending', 'buyer_asked', 'reservation_unknown')
                      else p.reserve_state = 'reserved'
                           and p.settle_state not in ('captured', 'cancelled')
                        or p.reserve_state = 'charged' and p.dispense_state <> 'dispensed'
                           and p.settle_state <> 'refunded'
                        or p.reserve_state in ('pending', 'buyer_asked', 'reservation_unknown') end), 0)::bigint
           as open
from ledger_entry e
cross join (values ('reserve', array['reserved']), ('capture', array['captured']),
                   ('cancel', array['cancelled']), ('refund', array['refunded', 'repaid']))
    as w (kind, entries)
group by e.funding_source, w.kind, w.entries
union all
select p.supplier, 'vend', count(*) filter (where p.dispense_state = 'dispensed'),
       count(*) filter (where p.dispense_state in ('not_started', 'dispense_pending',
                                                   'dispense_unknown')
                          and p.reserve_state not in ('refused', 'failed'))
from purchase p
-- Goods that clients hand over themselves are nobody else's to record.
where not exists (select 1 from connector c where c.name = p.supplier and c.adapter = 'own-goods')
group by p.supplier
order by 1, 2
