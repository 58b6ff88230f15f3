-- M1 always live
-- Money is conserved: what the books say is held or undecided is what the purchases say, per currency, client and funding source.
-- Do: find the purchases with M2 to M9, compare with the source's own statement, and settle nothing of that source until it is explained.
select null::uuid as purchase,
       format('%s client %s %s: held %s in the books, %s by the purchases, undecided %s, %s',
              currency, client_id, funding_source, b.held, p.held, b.undecided, p.undecided) as detail
from (select currency, client_id, funding_source, held, undecided from money_conservation) b
full join (
    select currency, client_id, funding_source,
           coalesce(sum(purchase_amount + fee_amount) filter (
               where reserve_state = 'reserved'
                 and settle_state not in ('captured', 'cancelled')), 0)::bigint as held,
           coalesce(sum(purchase_amount + fee_amount) filter (
               where reserve_state = 'charged' and dispense_state <> 'dispensed'
                 and settle_state not in ('refunded', 'owed_to_buyer')), 0)::bigint as undecided
    from purchase where reserve_state in ('reserved', 'charged')
    group by currency, client_id, funding_source) p
using (currency, client_id, funding_source)
where (coalesce(b.held, 0), coalesce(b.undecided, 0))
      <> (coalesce(p.held, 0), coalesce(p.undecided, 0));

-- M2 always
-- Every entry follows the one that it needs, with the same amount, currency, client and funding source: a hold before its resolution, a capture before the money's end, a debt before its payment.
-- Do: money moved without its ground; look at the purchase's journal, and at the source's statement.
select e.purchase, format('step %s %s of %s %s', e.step, e.entry, e.amount, e.currency) as detail
from ledger_entry e
left join ledger_entry before
    on before.purchase = e.purchase and before.step = e.step - 1
where e.step > 1
  and (before.purchase is null
       or (e.amount, e.currency, e.client_id, e.funding_source)
          <> (before.amount, before.currency, before.client_id, before.funding_source)
       or e.step = 3 and before.entry <> 'captured'
       or e.step = 4 and before.entry <> 'owed');

-- M3 always
-- What is reserved is the purchase's amount and fee, in its currency, of its client, at its source.
-- Do: the source was asked for another amount than the buyer agreed to; correct it with the source.
select e.purchase, format('reserved %s %s', e.amount, e.currency) as detail
from ledger_entry e
left join purchase p on p.purchase = e.purchase
where e.step = 1
  and (p.purchase is null
       or (e.amount, e.currency, e.client_id, e.funding_source)
          is distinct from (p.purchase_amount + p.fee_amount, p.currency, p.client_id, p.funding_source));

-- M4 always
-- Funds that a purchase says are reserved or charged stand in the books, and none that it does not.
-- Do: books and purchase were written apart, which one commit never does; look at the journal.
select p.purchase, format('reserve is %s, the books have step 1: %s', p.reserve_state,
                          coalesce(e.entry, 'nothing')) as detail
from purchase p
left join ledger_entry e on e.purchase = p.purchase and e.step = 1
where (p.reserve_state in ('reserved', 'charged')) <> (e.purchase is not null);

-- M5 always
-- A hold is captured only for goods that are out.
-- Do: the buyer paid for nothing; give the money back by hand.
select p.purchase, format('captured, dispense is %s', p.dispense_state) as detail
from ledger_entry e
join purchase p on p.purchase = e.purchase
where e.entry = 'captured' and p.reserve_state <> 'charged' and p.dispense_state <> 'dispensed';

-- M6 always
-- A hold is cancelled, and a charge is refunded or owed, only when nothing is dispensed, for good. While the outcome is unknown no money moves.
-- Do: goods may be out without payment; ask the supplier for the vend's reference.
select p.purchase, format('%s, dispense is %s', e.entry, p.dispense_state) as detail
from ledger_entry e
join purchase p on p.purchase = e.purchase
where e.entry in ('cancelled', 'refunded', 'owed') and p.dispense_state <> 'failed';

-- M7 always
-- A charge is kept only for goods that are out, and a capture of a hold is kept with it.
-- Do: as M5.
select p.purchase, format('kept, dispense is %s', p.dispense_state) as detail
from ledger_entry e
join purchase p on p.purchase = e.purchase
where e.entry = 'kept' and p.dispense_state <> 'dispensed'
union all
select p.purchase, 'goods are out, the money is captured and not kept'
from ledger_entry e
join purchase p on p.purchase = e.purchase
where e.entry = 'captured' and p.dispense_state = 'dispensed'
  and not exists (select 1 from ledger_entry k where k.purchase = e.purchase and k.step = 3);

-- M8 always
-- The settle track and the books tell the same end.
-- Do: books and purchase were written apart; look at the journal, and ask the source.
select p.purchase, format('settle is %s, the books have %s', p.settle_state,
                          coalesce(string_agg(e.entry, ', ' order by e.step), 'nothing')) as detail
from purchase p
left join ledger_entry e on e.purchase = p.purchase
where p.settle_state in ('captured', 'cancelled', 'refunded', 'owed_to_buyer')
   or e.entry in ('cancelled', 'refunded', 'owed', 'repaid')
group by p.purchase, p.settle_state, p.reserve_state
having not case p.settle_state
    when 'captured' then bool_or(e.entry = 'captured') is true
    when 'cancelled' then bool_or(e.entry = 'cancelled') is true
    when 'refunded' then bool_or(e.entry in ('refunded', 'repaid')) is true
    when 'owed_to_buyer' then bool_or(e.entry = 'owed') is true and bool_or(e.entry = 'repaid') is not true
    else false end;

-- M9 always
-- Capture or cancel is decided by what became of the goods, and settled as decided.
-- Do: do not settle by hand before the supplier has told what became of the vend.
select p.purchase, format('decided %s, dispense %s, settle %s', coalesce(p.settle_as, 'nothing'),
                          p.dispense_state, p.settle_state) as detail
from purchase p
where p.settle_as is not null
  and (p.dispense_state not in ('dispensed', 'failed')
       or (p.settle_as = 'capture') <> (p.dispense_state = 'dispensed')
       or p.settle_state = 'captured' and p.settle_as <> 'capture'
       or p.settle_state = 'cancelled' and p.settle_as <> 'cancel')
   or p.settle_as is null and p.reserve_state = 'reserved'
      and p.dispense_state in ('dispensed', 'failed');

-- M10 settled
-- A hold of a purchase that has ended is resolved, or waits for a person.
-- Do: work the parked settle tasks; fleet dead list --kind settle.
select p.purchase, format('settle is %s', p.settle_state) as detail
from purchase p
where p.reserve_state = 'reserved' and p.dispense_state in ('dispensed', 'failed')
  and p.settle_state not in ('captured', 'cancelled')
  and not exists (select 1 from task t where t.purchase = p.purchase and t.kind = 3 and t.state = 4);
